import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { LOCK_ID } from 'tombstone/migrations';
import { hasPooler, type Pooler, startPooler } from '../support/pgbouncer.ts';
import { refusal, setup, type Setup, THREE } from './fixtures/shop.ts';
import { appliedBy, startTogether } from './fixtures/starters.ts';
import { withLockOn } from './fixtures/with-lock.ts';

const test = hasPooler() ? it : it.skip;

const behind = async (
  poolSize: number,
  work: (made: Setup, pooler: Pooler) => Promise<void>,
  files?: Readonly<Record<string, string>>,
): Promise<void> => {
  const made = await setup(files);
  const pooler = await startPooler(made.url, poolSize);
  try {
    await work(made, pooler);
  } finally {
    await pooler.stop();
  }
};
const ask = async <Row extends object>(url: string, sql: string): Promise<Row[]> => {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
};

const OUR_LOCKS = `select from pg_locks join pg_database d on d.oid = database where locktype = 'advisory' and datname = current_database()`;

describe('behind a pooler in transaction mode', () => {
  test('a session lock would be none: two clients get it at the same time', () =>
    behind(1, async (_, { url }) => {
      const lock = `select pg_try_advisory_lock(${LOCK_ID}) as taken`;
      expect(await Promise.all([ask(url, lock), ask(url, lock)])).toEqual([
        [{ taken: true }],
        [{ taken: true }],
      ]);
    }));

  test('files are applied and reverted, and the ledger is that of a direct connection', () =>
    behind(2, async ({ migrator, names, client, folder }, { url }) => {
      const pooled = migrator({ connection: url });
      expect((await pooled.up()).steps).toHaveLength(3);
      expect((await migrator().up()).steps).toEqual([]);
      expect((await pooled.down({ to: 0 })).steps).toHaveLength(3);
      await pooled.log('1');
      await pooled.unlog('1');
      expect(await names()).toEqual([]);
      await pooled.baseline({ to: '1' });
      await client.query('create table items (id int, name text)');
      await pooled.up({ to: '2' });
      expect((await pooled.redo()).map(({ steps }) => steps.map(({ name }) => name))).toEqual([
        ['shop/002_prices.sql'],
        ['shop/002_prices.sql'],
      ]);
      folder.write('001_items.sql', `-- a remark\n${THREE['001_items.sql']}`);
      expect(await pooled.repair({ files: 'comments' })).toHaveLength(1);
      expect(await pooled.findings()).toEqual([]);
      expect((await client.query('select from schema_migration_tokens')).rows).toHaveLength(2);
      expect((await client.query(OUR_LOCKS)).rows).toEqual([]);
    }));

  test('a run waits for one that is connected directly, and the other way round', () =>
    behind(2, async ({ url, client, migrator, names, events, folder }, pooler) => {
      const waits = { lockTimeoutMs: 150, lockPollMs: 20 };
      await withLockOn(url, LOCK_ID, async (pid) => {
        const error = await refusal(migrator({ ...waits, connection: pooler.url }).up());
        expect(error).toMatchObject({ code: 'MIGRATION.LOCK_TIMEOUT', holder: { pid } });
      });
      await client.query('create table gate (id int)');
      folder.write(
        '002_prices.sql',
        'alter table items add price numeric; do $$ begin while (select count(*) from gate) = 0 loop perform pg_sleep(0.02); end loop; end $$;',
      );
      const running = migrator({ connection: pooler.url }).up();
      while (!events.some((event) => event.type === 'start' && event.index === 1)) await sleep(10);
      while ((await client.query(OUR_LOCKS)).rows.length === 0) await sleep(10);
      expect((await refusal(migrator(waits).up())).code).toBe('MIGRATION.LOCK_TIMEOUT');
      await client.query('insert into gate values (1)');
      await running;
      expect(await names()).toHaveLength(3);
    }));

  test(
    'twenty processes apply every file once, and all succeed',
    () =>
      behind(
        3,
        async ({ client, folder }, { url }) => {
          const ended = await startTogether(20, url, folder.migrations);
          expect(ended.map(({ code, err }) => ({ code, err }))).toEqual(
            Array.from({ length: 20 }, () => ({ code: 0, err: '' })),
          );
          expect(appliedBy(ended)).toEqual(['crash/001_a.sql', 'crash/002_b.sql', 'crash/003_c.sql']);
          expect((await client.query('select step from audit order by step')).rows).toHaveLength(3);
        },
        {
          '001_a.sql': 'create table audit (step int);\ninsert into audit values (1);\nselect pg_sleep(0.1);',
          '002_b.sql': 'insert into audit values (2);\nselect pg_sleep(0.1);',
          '003_c.sql': 'insert into audit values (3);',
        },
      ),
    120_000,
  );

  test('nothing of a file stays in the session that the next client gets', () =>
    behind(
      1,
      async ({ client, migrator, names }, { url }) => {
        const state = `select current_setting('search_path') as path, current_setting('lock_timeout') as timeout, current_user = session_user as own,
          to_regclass('pg_temp.left_behind') as temporary, (select count(*)::int from pg_cursors) as cursors, pg_backend_pid() as pid,
          (select count(*)::int from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()) as locks`;
        const [before] = await ask(url, state);
        await migrator({ connection: url }).up();
        expect(await ask(url, state)).toEqual([before]);
        await refusal(migrator({ connection: url, lockTimeoutMs: 0 }).up({ to: 'nothing' }));
        expect(await ask(url, state)).toEqual([before]);
        expect(await names()).toEqual(['shop/001_state.sql']);
        await client.query(`drop role "pooled ${process.pid}"`);
      },
      {
        '001_state.sql': `create role "pooled ${process.pid}"; set search_path to pg_catalog; set lock_timeout to 77;
          create temp table left_behind (id int); select pg_advisory_lock(5); set role "pooled ${process.pid}";
          declare held cursor with hold for select 1;`,
      },
    ));

  test('a file that fails leaves nothing, and is named by its line', () =>
    behind(1, async ({ migrator, folder, tables }, { url }) => {
      folder.write(
        '002_prices.sql',
        '-- +goose Up\ncreate table half (id int);\nset search_path to away;\nselect nothing;',
      );
      const error = await refusal(migrator({ connection: url }).up());
      expect(error).toMatchObject({ code: 'MIGRATION.FAILED', line: 4, sqlState: '42703' });
      expect(await tables()).toEqual(['items']);
      expect(await ask(url, `select current_setting('search_path') <> 'away' as clean`)).toEqual([
        { clean: true },
      ]);
    }));

  test('a NO TRANSACTION file is refused before anything runs, with the way on', () =>
    behind(1, async ({ migrator, folder, tables }, { url }) => {
      folder.write(
        '004_index.sql',
        '-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently i on items (name);',
      );
      const error = await refusal(migrator({ connection: url }).up());
      expect([error.code, error.file]).toEqual(['MIGRATION.POOLED', 'shop/004_index.sql']);
      expect(error.message).toContain('Point DATABASE_URL at the server itself');
      expect(await tables()).toEqual([]);
    }));
});
