import type { Connection } from '../rebuild/connection.ts';
import { Session } from '../session.ts';
import { describeSchema, type SchemaDescription } from './description.ts';

/**
 * Reads what a database consists of as sorted data, for a comparison with `differenceOf`.
 *
 * @throws MigrationError with one of the connection codes.
 */
export async function readSchema(connection: Connection): Promise<SchemaDescription> {
  const session = await Session.open(connection);
  try {
    return await describeSchema(session);
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}
