import { describe, expect, it } from '@jest/globals';
import { interrupt, interruptBehindSnapshot, withOldSnapshot } from './fixtures/interrupt.ts';
import { refusal, setup, type Setup } from './fixtures/shop.ts';

const BASE =
  'create table items (id int primary key, name text); create table audit (what text);\n' +
  "insert into items select n, 'n' || n from generate_series(1, 50) n;\n";

/** A module of a table with rows and one NO TRANSACTION file. */
const withFile = async (up: string, down = ''): Promise<Setup & { change(up: string): void }> => {
  const text = (sql: string): string =>
    `-- +goose NO TRANSACTION\n-- +goose Up\n${sql}\n${down ? `-- +goose Down\n${down}\n` : ''}`;
  const made = await setup({ '001_items.sql': `-- +goose Up\n${BASE}`, '002_more.sql': text(up) });
  return { ...made, change: (sql) => made.folder.write('002_more.sql', text(sql)) };
};
const audit = async ({ client }: Setup): Promise<string[]> =>
  (await client.query<{ what: string }>('select what from audit order by what')).rows.map(({ what }) => what);
const indexes = async ({ client }: Setup): Promise<string[]> =>
  (
    await client.query<{ index: string }>(
      `select indexrelid::regclass || case when indisvalid then '' else ' invalid' end as index
       from pg_index where indrelid = 'items'::regclass and not indisprimary order by 1`,
    )
  ).rows.map(({ index }) => index);
const journal = async ({ client }: Setup): Promise<unknown[]> =>
  (
    await client.query(
      `select statement, finished_at is not null as done from schema_migrations_journal order by statement`,
    )
  ).rows;

describe('a NO TRANSACTION file that failed', () => {
  it('goes on behind the last statement that was done, and leaves no journal when it is done', async () => {
    const made = await withFile(
      "insert into audit values ('a');\ninsert into audit values ('b');\nselect nothing;",
    );
    const error = await refusal(made.migrator().up());
    expect(error.message).toContain('Statements 1 to 2 of 3 stay done; the next run goes on at line 5.');
    made.change(
      "insert into audit values ('a');\ninsert into audit values ('b'); -- as before\nselect 1;\ninsert into audit values ('c');",
    );
    await made.migrator().up();
    expect(await audit(made)).toEqual(['a', 'b', 'c']);
    expect(made.events).toContainEqual({ type: 'resuming', name: 'shop/002_more.sql', statement: 3, of: 4 });
    expect(await journal(made)).toEqual([]);
    expect(await made.names()).toHaveLength(2);
  });

  it('is not gone on with when a statement that is done was changed, or the file is gone', async () => {
    const made = await withFile("insert into audit values ('a');\nselect nothing;");
    await refusal(made.migrator().up());
    made.change("insert into audit values ('other');\nselect 1;");
    const edited = await refusal(made.migrator().up());
    expect([edited.code, edited.file]).toEqual(['MIGRATION.UNFINISHED', 'shop/002_more.sql']);
    expect(edited.message).toContain('statement 1 is done, but its text was changed');
    made.folder.remove('002_more.sql');
    expect((await refusal(made.migrator().up())).message).toContain('the file is gone');
    expect(await audit(made)).toEqual(['a']);
  });

  it('must be finished before the other direction', async () => {
    const made = await withFile(
      "insert into audit values ('a');",
      "insert into audit values ('z');\nselect nothing;",
    );
    await made.migrator().up();
    await refusal(made.migrator().down());
    const error = await refusal(made.migrator().up());
    expect(error.message).toContain('it is half reverted. Run "migrate down"');
    made.folder.write('003_late.sql', 'select 1;');
    expect((await refusal(made.migrator().up())).code).toBe('MIGRATION.UNFINISHED');
    expect(await audit(made)).toEqual(['a', 'z']);
  });

  it('gets back the settings that its own statements had made', async () => {
    const made = await withFile('create schema away;\nset search_path to away;\nselect nothing;');
    await refusal(made.migrator().up());
    made.change('create schema away;\nset search_path to away;\ncreate table here (id int);');
    await made.migrator().up();
    expect((await made.client.query(`select to_regclass('away.here') is not null as found`)).rows).toEqual([
      { found: true },
    ]);
  });

  it('runs a transaction of its own as a whole again, and not what stood before', async () => {
    const block = "insert into audit values ('a');\nbegin;\ninsert into audit values ('b');\n";
    const made = await withFile(`${block}select nothing;\ncommit;`);
    const error = await refusal(made.migrator().up());
    expect(error.message).toContain('Statement 1 of 5 stays done; the next run goes on at line 4.');
    made.change(
      `${block}commit;\nbegin;\ninsert into audit values ('lost');\nrollback;\ninsert into audit values ('c');`,
    );
    await made.migrator().up();
    expect(await audit(made)).toEqual(['a', 'b', 'c']);
  });

  it('cannot be gone on with when what it made was temporary', async () => {
    const made = await withFile('create temp table t (id int);\nselect nothing;');
    await refusal(made.migrator().up());
    const error = await refusal(made.migrator().up());
    expect([error.code, error.message]).toEqual([
      'MIGRATION.UNFINISHED',
      expect.stringContaining('gone with its session'),
    ]);
  });
});

describe('a file that would give the lock of the run away', () => {
  it('is refused before anything runs', async () => {
    for (const statement of ['discard all;', 'select pg_advisory_unlock_all();']) {
      const made = await withFile(statement);
      const error = await refusal(made.migrator().up());
      expect([error.code, error.message]).toEqual([
        'MIGRATION.UNSUPPORTED',
        expect.stringContaining('shop/002_more.sql:3: DISCARD ALL and'),
      ]);
      expect(await made.tables()).toEqual([]);
    }
  });
});

describe('a concurrent build', () => {
  const BUILD = 'create index concurrently if not exists items_name on items (name);';

  it('that was interrupted leaves an invalid index, which is dropped and built again', async () => {
    const made = await withFile(`insert into audit values ('a');\n${BUILD}\ninsert into audit values ('b');`);
    await made.migrator().up({ steps: 1 });
    const error = await interruptBehindSnapshot(
      made,
      'items',
      () => made.migrator().up(),
      'create index concurrently',
    );
    expect([error.code, await indexes(made)]).toEqual(['MIGRATION.FAILED', ['items_name invalid']]);
    // IF NOT EXISTS by itself would pass over it.
    await made.client.query(BUILD);
    expect(await indexes(made)).toEqual(['items_name invalid']);
    expect(await journal(made)).toEqual([
      { statement: 1, done: true },
      { statement: 2, done: false },
    ]);
    await made.migrator().up();
    expect([await indexes(made), await audit(made)]).toEqual([['items_name'], ['a', 'b']]);
    expect(made.events).toContainEqual({
      type: 'removed-remains',
      name: 'shop/002_more.sql',
      index: '"public"."items_name"',
    });
  });

  it('that was done without the run having heard of it counts as done', async () => {
    const made = await withFile('create index concurrently items_name on items (name);\nselect nothing;');
    await refusal(made.migrator().up());
    await made.client.query('update schema_migrations_journal set finished_at = null');
    made.change('create index concurrently items_name on items (name);');
    await made.migrator().up();
    expect(await indexes(made)).toEqual(['items_name']);
  });

  it('over duplicates names the invalid index that it left, and is built when they are gone', async () => {
    const made = await withFile('create unique index concurrently items_name on items (name);');
    await made.migrator().up({ steps: 1 });
    await made.client.query(`insert into items values (99, 'n1')`);
    const error = await refusal(made.migrator().up());
    expect(error).toMatchObject({ sqlState: '23505' });
    expect(error.message).toContain(
      'The table has invalid indexes (public.items_name); the next run drops and rebuilds',
    );
    await made.client.query('delete from items where id = 99');
    await made.migrator().up();
    expect(await indexes(made)).toEqual(['items_name']);
  });

  it('is refused when the name belongs to an index of another table, which IF NOT EXISTS would pass over', async () => {
    const made = await withFile(BUILD);
    await made.migrator().up({ steps: 1 });
    await made.client.query('create index items_name on audit (what)');
    const error = await refusal(made.migrator().up());
    expect(error.message).toContain('no valid index of that name is on that table');
    expect(await made.names()).toEqual(['shop/001_items.sql']);
  });

  it('of a name that exists is refused by the server each time', async () => {
    const made = await withFile('create index concurrently items_name on items (name);');
    await made.migrator().up({ steps: 1 });
    await made.client.query('create index items_name on items (id)');
    for (const _ of [1, 2]) expect(await refusal(made.migrator().up())).toMatchObject({ sqlState: '42P07' });
  });

  it('without a name is in doubt after an interruption, until a person has answered', async () => {
    const made = await withFile('create index concurrently on items (name);');
    await made.migrator().up({ steps: 1 });
    await interruptBehindSnapshot(made, 'items', () => made.migrator().up(), 'create index concurrently');
    const error = await refusal(made.migrator().up());
    expect(error.code).toBe('MIGRATION.IN_DOUBT');
    expect(error.message).toContain('statement 1 (create index concurrently on items (name)) was begun at');
    expect(error.message).toContain('Its table has invalid indexes: public.items_name_idx.');
    await made.client.query('drop index items_name_idx');
    await made.migrator().up({ inDoubt: 'again' });
    expect(await indexes(made)).toEqual(['items_name_idx']);
  });

  it('waits for old snapshots however short the lock_timeout, unless the file asks for one', async () => {
    const made = await withFile(BUILD);
    const timeouts = { lockMs: 30, attempts: 1 };
    await made.migrator().up({ steps: 1 });
    const running = withOldSnapshot(made.url, 'items', async () => {
      const up = made.migrator({ timeouts }).up();
      while ((await waiting(made)) < 200) await new Promise((done) => setTimeout(done, 10));
      return { up };
    });
    await (
      await running
    ).up;
    expect(await indexes(made)).toEqual(['items_name']);
    const other = await withFile(`-- +tombstone lock_timeout=30ms\n${BUILD}`);
    await other.migrator().up({ steps: 1 });
    const error = await withOldSnapshot(other.url, 'items', () => refusal(other.migrator({ timeouts }).up()));
    expect(error).toMatchObject({ sqlState: '55P03' });
  });
});

/** For how many milliseconds a build has waited. */
const waiting = async ({ client }: Setup): Promise<number> =>
  (
    await client.query<{ ms: number }>(
      `select coalesce(max(extract(epoch from clock_timestamp() - query_start) * 1000), 0)::float8 as ms from pg_stat_activity
       where datname = current_database() and state = 'active' and wait_event_type = 'Lock' and query like 'create index concurrently%'`,
    )
  ).rows[0]?.ms ?? 0;

describe('an interrupted statement that cannot run in a transaction', () => {
  it('DROP INDEX CONCURRENTLY is run again, or counts as done when the index is gone', async () => {
    const made = await withFile('drop index concurrently items_name;\nselect nothing;');
    await made.migrator().up({ steps: 1 });
    await made.client.query('create index items_name on items (name)');
    await interruptBehindSnapshot(made, 'items', () => made.migrator().up(), 'drop index concurrently');
    expect(await indexes(made)).toEqual(['items_name invalid']);
    expect(await refusal(made.migrator().up())).toMatchObject({ sqlState: '42703' });
    expect(await indexes(made)).toEqual([]);
    await made.client.query('update schema_migrations_journal set finished_at = null');
    made.change('drop index concurrently items_name;');
    await made.migrator().up();
    expect(await made.names()).toHaveLength(2);
  });

  it('REINDEX CONCURRENTLY leaves a copy, which is dropped before it runs again', async () => {
    const made = await withFile('reindex (verbose) table concurrently items;');
    await made.migrator().up({ steps: 1 });
    await made.client.query('create index items_name on items (name)');
    await interruptBehindSnapshot(made, 'items', () => made.migrator().up(), 'reindex');
    expect((await indexes(made)).filter((name) => name.endsWith('_ccnew invalid'))).not.toEqual([]);
    await made.migrator().up();
    expect(await indexes(made)).toEqual(['items_name']);
  });

  it('DETACH PARTITION CONCURRENTLY is finalized', async () => {
    const made = await withFile('alter table parts detach partition parts_1 concurrently;');
    await made.migrator().up({ steps: 1 });
    await made.client.query(
      'create table parts (id int) partition by range (id); create table parts_1 partition of parts for values from (0) to (9)',
    );
    await interruptBehindSnapshot(made, 'parts', () => made.migrator().up(), 'detach partition');
    expect((await made.client.query('select inhdetachpending as pending from pg_inherits')).rows).toEqual([
      { pending: true },
    ]);
    await made.migrator().up();
    expect((await made.client.query('select from pg_inherits')).rows).toEqual([]);
  });

  it('CALL stops the next run with both ways on', async () => {
    for (const [inDoubt, expected] of [
      ['done', ['before']],
      ['again', ['before', 'called']],
    ] as const) {
      const made = await withFile("insert into audit values ('before');\ncall slow();\nselect 1;");
      await made.migrator().up({ steps: 1 });
      const slow = (seconds: number): string =>
        `create or replace procedure slow() language sql as $$ select pg_sleep(${seconds}); insert into audit values ('called') $$`;
      await made.client.query(slow(60));
      await interrupt(made.client, made.migrator().up(), 'call slow');
      const error = await refusal(made.migrator().up());
      expect([error.code, error.file]).toEqual(['MIGRATION.IN_DOUBT', 'shop/002_more.sql']);
      expect(error.message).toContain('shop/002_more.sql:4: statement 2 (call slow()) was begun at');
      expect(error.message).toContain('--in-doubt done to go on behind it, or with --in-doubt again');
      await made.client.query(slow(0));
      await made.migrator().up({ inDoubt });
      expect(await audit(made)).toEqual(expected);
    }
  });

  it('VACUUM is run again, and ALTER TYPE ADD VALUE has a transaction with its line of the journal', async () => {
    const made = await withFile(
      "vacuum items;\nalter type mood add value 'new';\ninsert into audit select 'new'::mood;\nselect nothing;",
    );
    await made.migrator().up({ steps: 1 });
    await made.client.query(`create type mood as enum ('old')`);
    await refusal(made.migrator().up());
    await made.client.query(
      'update schema_migrations_journal set finished_at = null where statement = 1; delete from schema_migrations_journal where statement > 1',
    );
    made.change('vacuum items;');
    await made.migrator().up();
    expect(await audit(made)).toEqual(['new']);
    expect(await journal(made)).toEqual([]);
  });
});
