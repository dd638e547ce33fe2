import { gateway } from '../../src/gateway/index.ts';
import { Migrator } from '../../src/kit/migrations/index.ts';

/** Applies every migration of the gateway module to an empty database. */
export async function migrateGateway(url: string): Promise<void> {
  await new Migrator({ connection: url, modules: [gateway] }).up();
}
