import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { createMigration, Migrator, planLiveParent } from 'tombstone/migrations';
import { createTestDatabase, type TestServer } from 'tombstone/testing';
import { HARBOURS, harbours, MODEL } from './model.ts';
import type { Form } from './world.ts';

/** What one file cost those who were at work meanwhile. */
interface Step {
  readonly file: string;
  readonly totalMs: number;
  /** The longest time in which a reader, a writer of children and a writer of parents had no answer. */
  readonly longestReadMs: number;
  readonly longestWriteMs: number;
}

export interface Measures {
  readonly environment: string;
  readonly rows: { readonly parents: number; readonly children: number };
  readonly steps: Readonly<Record<Form, readonly Step[]>>;
  /** The same work on tables without the guarantee and with each of its forms. */
  readonly prices: Readonly<Record<Form | 'none', Readonly<Record<string, number>>>>;
}

/** @param children how many; a tenth as many parents. A tenth of the parents is dead, with their children. */
export async function measure(server: TestServer, children: number): Promise<Measures> {
  const parents = children / 10;
  const before = (loadavg()[0] ?? 0).toFixed(1);
  const steps: Partial<Record<Form, Step[]>> = {};
  const prices: Partial<Record<Form | 'none', Record<string, number>>> = {};
  for (const form of ['none', 'plain', 'online'] as const) {
    const database = await createTestDatabase(server);
    const client = await connect(database.url);
    await plant(client, parents, children);
    if (form !== 'none') steps[form] = await migrate(database.url, form);
    await client.query('vacuum (freeze, analyze) harbours');
    await client.query('vacuum (freeze, analyze) ships');
    prices[form] = await priceOf(client, parents);
    await client.end();
    await database.drop();
  }
  const environment = `PostgreSQL ${server.version}, ${availableParallelism()} cores, load average ${before} before and ${(loadavg()[0] ?? 0).toFixed(1)} after`;
  return { environment, rows: { parents, children }, steps, prices } as Measures;
}

async function connect(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  // The server ends it when something else has failed, which is what is told.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function plant(client: Client, parents: number, children: number): Promise<void> {
  await client.query(HARBOURS);
  for (const table of ['harbours', 'ships']) await client.query(`alter table ${table} set (fillfactor = 45)`);
  await client.query(
    `insert into harbours (deleted_at) select case when n % 10 = 0 then now() end from generate_series(1, ${parents}) n`,
  );
  await client.query(`insert into ships (harbour_id, deleted_at)
    select 1 + n % ${parents}, case when (1 + n % ${parents}) % 10 = 0 then now() end from generate_series(1, ${children}) n`);
  await client.query('analyze harbours');
  await client.query('analyze ships');
}

/** Applies one file after the other, while others read and write. */
async function migrate(url: string, form: Form): Promise<Step[]> {
  const folder = join(mkdtempSync(join(tmpdir(), 'tombstone-measure-')), 'harbours');
  mkdirSync(folder);
  const module = harbours(folder);
  const relation = 'ships_harbour_id_fkey';
  const plan = await planLiveParent({ connection: url, relation, model: MODEL, online: form === 'online' });
  const steps: Step[] = [];
  for (const migration of plan.migrations) {
    const path = await createMigration(module, migration);
    const [reads, writes] = [
      probe(url, 'select from harbours h join ships s on s.harbour_id = h.id where h.id = 1'),
      probe(
        url,
        'insert into ships (harbour_id) values (1); update harbours set deleted_at = null where id = 2',
      ),
    ];
    await sleep(300);
    const start = performance.now();
    await new Migrator({ connection: url, modules: [module] }).up();
    const totalMs = Math.round(performance.now() - start);
    const [longestReadMs, longestWriteMs] = [await reads.stop(), await writes.stop()];
    steps.push({ file: path.slice(path.lastIndexOf('/') + 1), totalMs, longestReadMs, longestWriteMs });
  }
  rmSync(join(folder, '..'), { recursive: true, force: true });
  return steps;
}

/** Asks again and again on a connection of its own; `stop` answers how long the longest answer took. */
function probe(url: string, sql: string): { stop: () => Promise<number> } {
  const state = { isOver: false };
  const asking = (async () => {
    const client = await connect(url);
    let longest = 0;
    while (!state.isOver) {
      const start = performance.now();
      await client.query(sql);
      longest = Math.max(longest, performance.now() - start);
      await sleep(2);
    }
    await client.end();
    return Math.round(longest);
  })();
  return {
    stop: () => {
      state.isOver = true;
      return asking;
    },
  };
}

/** The best of three, each in a transaction that is taken back. */
async function priceOf(client: Client, parents: number): Promise<Record<string, number>> {
  const works: Record<string, string> = {
    'insert 100,000 children, ms': `insert into ships (harbour_id) select 1 + (n % ${parents / 10}) * 10 from generate_series(1, 100000) n`,
    'mark 1,000 parents and 10,000 children, ms': `with gone as (update ships set deleted_at = now() where harbour_id in (select id from harbours
        where deleted_at is null order by id limit 1000) and deleted_at is null)
      update harbours set deleted_at = now() where id in (select id from harbours where deleted_at is null order by id limit 1000)`,
    'mark 50,000 children, ms':
      'update ships set deleted_at = now() where id between 1 and 60000 and deleted_at is null',
  };
  const prices: Record<string, number> = {};
  for (const [name, sql] of Object.entries(works)) {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round += 1) {
      const start = performance.now();
      await client.query('begin');
      await client.query(sql);
      await client.query('set constraints all immediate');
      best = Math.min(best, performance.now() - start);
      await client.query('rollback');
    }
    prices[name] = Math.round(best);
  }
  return { ...prices, ...(await hotShares(client)) };
}

/** How many of a hundred marks needed no new entry in an index. */
async function hotShares(client: Client): Promise<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const table of ['harbours', 'ships']) {
    const read = async () => {
      await client.query('select pg_stat_force_next_flush()').catch(() => sleep(1500));
      const { rows } = await client.query<{ all: string; hot: string }>(
        `select n_tup_upd as all, n_tup_hot_upd as hot from pg_stat_user_tables where relname = '${table}'`,
      );
      return { all: Number(rows[0]?.all), hot: Number(rows[0]?.hot) };
    };
    const before = await read();
    const childless = 'not exists (select from ships s where s.harbour_id = t.id and s.deleted_at is null)';
    if (table === 'harbours') await client.query('insert into harbours select from generate_series(1, 500)');
    await client.query(
      `update ${table} t set deleted_at = now() where id in (
        select id from ${table} t where deleted_at is null ${table === 'harbours' ? `and ${childless}` : ''} order by id limit 500)`,
    );
    const after = await read();
    shares[`HOT marks of ${table}, %`] = Math.round(
      (100 * (after.hot - before.hot)) / (after.all - before.all),
    );
  }
  return shares;
}
