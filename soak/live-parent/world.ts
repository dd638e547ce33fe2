import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MikroORM } from '@mikro-orm/postgresql';
import { Client } from 'pg';
import { defineDataConfig, deletionJournal } from 'tombstone';
import { createMigration, Migrator, planLiveParent } from 'tombstone/migrations';
import { HARBOURS, harbours, MODEL } from './model.ts';

export type Form = 'plain' | 'online';

/** A database with harbours and ships, and the guarantee if a form of it is given; written and run as the command does. */
export async function openWorld(url: string, form: Form | undefined, connections: number) {
  const folder = join(mkdtempSync(join(tmpdir(), 'tombstone-soak-')), 'harbours');
  mkdirSync(folder);
  const module = harbours(folder);
  await new Migrator({ connection: url, modules: [deletionJournal] }).up();
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(HARBOURS);
  if (form) {
    const relation = 'ships_harbour_id_fkey';
    const request = { connection: url, relation, model: MODEL, online: form === 'online' };
    for (const migration of (await planLiveParent(request)).migrations)
      await createMigration(module, migration);
    await new Migrator({ connection: url, modules: [module] }).up();
  }
  const orm = await MikroORM.init(
    defineDataConfig({
      clientUrl: url,
      modules: [module, deletionJournal],
      pool: { min: 0, max: connections },
    }),
  );
  return {
    orm,
    client,
    close: async () => {
      await client.end();
      await orm.close();
      rmSync(join(folder, '..'), { recursive: true, force: true });
    },
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;
