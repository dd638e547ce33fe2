import { randomBytes } from 'node:crypto';
import {
  createTestDatabase,
  startTestServer,
  type TestDatabase,
  type TestServer,
} from '../src/kit/testing/index.ts';
import { line } from './print.ts';

export interface TourServer {
  readonly server: TestServer;
  readonly database: TestDatabase;
  /** Drops the database that the tour made, and stops the server when it is the tour's own. */
  close(): Promise<void>;
}

/** The server of DATABASE_URL, or an embedded one; on either, a new database that nothing else uses. */
export async function openServer(url: string | undefined, keep: boolean): Promise<TourServer> {
  const server = await startTestServer(url ? { url } : { detached: keep });
  try {
    const database = await createTestDatabase(server, {
      name: `tombstone_tour_${randomBytes(4).toString('hex')}`,
    });
    const kind = url ? 'the server of DATABASE_URL' : 'an embedded server';
    line(`PostgreSQL ${server.version}, ${kind}, database ${database.name}`);
    return { server, database, close: () => close(server, database, url !== undefined) };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function close(server: TestServer, database: TestDatabase, shared: boolean): Promise<void> {
  // An embedded server goes with all its databases.
  if (shared) await database.drop();
  await server.stop();
}
