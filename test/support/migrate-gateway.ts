import { existsSync } from 'node:fs';

/** Applies every migration of the gateway module to an empty database. */
export async function migrateGateway(url: string): Promise<void> {
  const migrations = new URL('../../src/kit/migrations/index.ts', import.meta.url);
  const module = new URL('../../src/gateway/index.ts', import.meta.url);
  if (!existsSync(migrations) || !existsSync(module)) {
    console.warn('No migrations yet: the template database is empty.');
    return;
  }
  const { Migrator } = await import(migrations.href);
  const { gateway } = await import(module.href);
  await new Migrator({ connection: url, modules: [gateway] }).up();
}
