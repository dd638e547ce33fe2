import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import {
  findDrift,
  loadMigrations,
  MigrationSyntaxError,
  parseMigration,
  PartitionedIndexError,
} from 'tombstone/migrations';
import { childName } from '../../src/kit/migrations/partitions/child-name.ts';
import { interrupt, interruptBehindSnapshot } from './fixtures/interrupt.ts';
import { folders, refusal, setup, type Setup } from './fixtures/shop.ts';
import { ROOT } from '../support/command.ts';
import { migrationFolder } from '../support/migration-folder.ts';

const PLAIN = 'create table events (id int, day int, name text);\n';
const PARTS =
  'create table events (id int, day int, name text) partition by range (day);\n' +
  'create table events_1 partition of events for values from (0) to (10);\n' +
  // The columns of a partition may have other numbers.
  'create table events_2 (gone int, name text, day int, id int); alter table events_2 drop gone;\n' +
  'alter table events attach partition events_2 for values from (10) to (20);\n' +
  'create table events_rest partition of events default;\n';
const LEVELS =
  PARTS +
  'create schema far;\ncreate table far."Odd one" partition of events for values from (20) to (30) partition by list (name);\n' +
  `create table far.odd_a partition of far."Odd one" for values in ('a');\n` +
  'create table far.odd_rest partition of far."Odd one" default;\n';
const ROWS = `insert into events select n, n % 40, 'n' || n % 30 from generate_series(1, 200) n;\n`;
const BUILD = 'create index concurrently events_name on events (lower(name), id desc) where id > 0;';

const text = (up: string): string =>
  `-- +goose NO TRANSACTION\n-- +goose Up\n-- +tombstone partitioned-index\n${up}\n-- +goose Down\n-- +tombstone partitioned-index\ndrop index concurrently events_name;\n`;

/** The table is made, and the index is pending. */
async function withTable(table: string, up = BUILD): Promise<Setup & { change(up: string): void }> {
  const made = await setup({
    '001_events.sql': `-- +goose Up\n${table}${ROWS}`,
    '002_index.sql': text(up),
  });
  await made.migrator().up({ steps: 1 });
  return { ...made, change: (sql) => made.folder.write('002_index.sql', text(sql)) };
}

/** Each table with its indexes: whether valid, and what each is a part of. */
async function indexes({ client }: Setup): Promise<Record<string, string[]>> {
  const { rows } = await client.query<{ table: string; index: string; valid: boolean; whole: string }>(
    `select i.indrelid::regclass::text as table, c.relname as index, i.indisvalid as valid, coalesce(h.inhparent::regclass::text, '') as whole
     from pg_index i join pg_class c on c.oid = i.indexrelid left join pg_inherits h on h.inhrelid = i.indexrelid
     where i.indrelid in (select relid from pg_partition_tree('events') union select 'events'::regclass) order by 1, 2`,
  );
  const found: Record<string, string[]> = {};
  for (const { table, index, valid, whole } of rows)
    (found[table] ??= []).push(`${index}${valid ? '' : ' invalid'}${whole ? ` of ${whole}` : ''}`);
  return found;
}

const child = (name: string, schema = 'public', index = 'events_name'): string =>
  childName({ schema, name }, index);
const WHOLE = {
  events: ['events_name'],
  events_1: [`${child('events_1')} of events_name`],
  events_2: [`${child('events_2')} of events_name`],
  events_rest: [`${child('events_rest')} of events_name`],
};
const journal = async ({ client }: Setup): Promise<unknown[]> =>
  (await client.query('select statement from schema_migrations_journal')).rows;

describe('a partitioned-index step', () => {
  it('is a plain concurrent build on an ordinary table, and its Down a plain concurrent drop', async () => {
    const made = await withTable(PLAIN);
    await made.migrator().up();
    const found = await made.client.query(`select indexdef from pg_indexes where tablename = 'events'`);
    expect(found.rows).toEqual([{ indexdef: expect.stringContaining('INDEX events_name ON public.events') }]);
    await made.migrator().down();
    expect((await made.client.query(`select from pg_indexes where tablename = 'events'`)).rows).toEqual([]);
  });

  it('is refused by the server without the directive, as a control', async () => {
    const made = await withTable(PARTS);
    made.folder.write('002_index.sql', `-- +goose NO TRANSACTION\n-- +goose Up\n${BUILD}\n`);
    expect(await refusal(made.migrator().up())).toMatchObject({ sqlState: '0A000' });
    await made.client.query('create index events_name on events (id)');
    await expect(made.client.query('drop index concurrently events_name')).rejects.toMatchObject({
      code: '0A000',
    });
  });

  it('builds one index for each partition, the default one too, and its Down drops them all', async () => {
    const made = await withTable(PARTS);
    await made.migrator().up();
    expect(await indexes(made)).toEqual(WHOLE);
    expect(await journal(made)).toEqual([]);
    const { events } = made;
    expect(events.filter(({ type }) => type === 'partition-index')).toEqual(
      ['events_1', 'events_2', 'events_rest'].map((name, position) => ({
        type: 'partition-index',
        name: 'shop/002_index.sql',
        partition: `public.${name}`,
        built: position + 1,
        of: 3,
      })),
    );
    await made.migrator().down();
    expect(await indexes(made)).toEqual({});
  });

  it('goes through two levels, other schemas and odd names', async () => {
    const made = await withTable(LEVELS);
    await made.migrator().up();
    const odd = child('Odd one', 'far');
    expect(await indexes(made)).toEqual({
      ...WHOLE,
      'far."Odd one"': [`${odd} of events_name`],
      'far.odd_a': [`${child('odd_a', 'far')} of far."${odd}"`],
      'far.odd_rest': [`${child('odd_rest', 'far')} of far."${odd}"`],
    });
    // A partition that comes later gets its own by the server.
    await made.client.query('create table events_3 partition of events for values from (300) to (310)');
    expect(Object.keys(await indexes(made))).toContain('events_3');
  });

  it('works for a table without partitions, and for one whose partition has none', async () => {
    const made = await withTable(
      PLAIN.replace(';', ' partition by range (day);'),
      'create index concurrently events_name on events (id);',
    ).catch(() => undefined);
    expect(made).toBeUndefined();
    const empty = await setup({
      '001_events.sql': `-- +goose Up\n${PLAIN.replace(';', ' partition by range (day);')}create table events_1 partition of events for values from (0) to (9) partition by list (name);`,
      '002_index.sql': text(BUILD),
    });
    await empty.migrator().up();
    expect(await indexes(empty)).toEqual({
      events: ['events_name'],
      events_1: [`${child('events_1')} of events_name`],
    });
  });

  it('takes an index of a partition that is alike, and none that only looks like it', async () => {
    const made = await withTable(PARTS);
    await made.client.query(
      'create index mine on events_1 (lower(name), id desc) where id > 0; create index other on events_2 (lower(name), id) where id > 0',
    );
    await made.migrator().up();
    expect(await indexes(made)).toEqual({
      ...WHOLE,
      events_1: ['mine of events_name'],
      events_2: [`${child('events_2')} of events_name`, 'other'],
    });
  });

  it('builds while another transaction writes the partition', async () => {
    const made = await withTable(PARTS);
    const error = await interruptBehindSnapshot(
      made,
      'events_1',
      () => made.migrator().up(),
      'create index concurrently',
    );
    expect(error.code).toBe('MIGRATION.FAILED');
    // The other transaction holds the lock of a writer all the time, and the build began behind it.
    expect((await indexes(made))['events_1']).toEqual([`${child('events_1')} invalid`]);
  });
});

describe('the example of the page', () => {
  it('runs as it is printed, and drift knows how', async () => {
    const page = readFileSync(join(ROOT, 'docs/partitioned-indexes.md'), 'utf8');
    const sql = /^```sql\n(.*?)^```/ms.exec(page)?.[1] ?? '';
    const made = await withTable(PARTS);
    made.folder.write('002_index.sql', sql);
    await made.migrator().up();
    expect(await indexes(made)).toEqual(WHOLE);
    const { findings } = await findDrift({ connection: made.url, modules: [made.folder] });
    expect(findings).toEqual([]);
    await made.migrator().down();
    expect(await indexes(made)).toEqual({});
  });
});

describe('a partitioned-index step that was interrupted', () => {
  it.each(['events_1', 'events_rest'])(
    'while %s was built is done by the next run, with the partition that came meanwhile',
    async (at) => {
      const made = await withTable(PARTS);
      // A lock without a snapshot: only the build of this partition waits for it.
      const other = new Client({ connectionString: made.url });
      await other.connect();
      await other.query(`begin; lock table ${at} in row exclusive mode`);
      const build = `create index concurrently "${child(at)}"`;
      const error = await interrupt(made.client, made.migrator().up(), build);
      await other.end();
      expect(error.code).toBe('MIGRATION.FAILED');
      const half = await indexes(made);
      expect([half['events'], half[at]]).toEqual([['events_name invalid'], [`${child(at)} invalid`]]);
      expect(await journal(made)).toEqual([{ statement: 1 }]);
      await made.client.query(
        'create table late (id int, day int, name text); create index late_own on late (id); alter table events attach partition late for values from (100) to (110)',
      );
      await made.migrator().up();
      const { late = [], ...rest } = await indexes(made);
      expect(rest).toEqual(WHOLE);
      expect(late).toEqual(expect.arrayContaining(['late_own', expect.stringContaining(' of events_name')]));
      expect(made.events).toContainEqual({
        type: 'removed-remains',
        name: 'shop/002_index.sql',
        index: `"public"."${child(at)}"`,
      });
    },
  );

  it.each(['start', 'end'])(
    'at the %s of any of its statements is done by the next run',
    async (moment) => {
      const stops = `create sequence ticks; create table stop (at bigint);
      create function tick() returns event_trigger language plpgsql as $$ begin
        if nextval('public.ticks') = (select at from public.stop) then perform pg_sleep(60); end if; end $$;
      create event trigger tick on ddl_command_${moment} when tag in ('CREATE INDEX', 'ALTER INDEX') execute function tick();`;
      let at = 0;
      for (let isStopped = true; isStopped;) {
        at += 1;
        const made = await withTable(LEVELS);
        await made.client.query(`${stops} insert into stop values (${at})`);
        const run = made.migrator().up();
        const ended = run.then(
          () => false,
          () => true,
        );
        const kill = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`;
        const state = { isOver: false };
        void ended.then(() => (state.isOver = true));
        while (!state.isOver && (await made.client.query(kill)).rows.length === 0) await sleep(5);
        isStopped = await ended;
        if (isStopped) expect([at, await made.names()]).toEqual([at, ['shop/001_events.sql']]);
        await made.client.query('update stop set at = 0');
        await made.migrator().up();
        const found = await indexes(made);
        expect([
          at,
          Object.values(found)
            .flat()
            .filter((name) => name.includes('invalid')),
        ]).toEqual([at, []]);
        expect([at, Object.keys(found).length, Object.values(found).flat().length]).toEqual([at, 7, 7]);
        expect(await journal(made)).toEqual([]);
      }
      // Two frames, five builds, six attachments; the last round was not stopped.
      expect(at).toBe(14);
    },
    120_000,
  );

  it('after its last statement counts as done', async () => {
    const made = await withTable(PARTS, `${BUILD}\nselect nothing;`);
    await refusal(made.migrator().up());
    await made.client.query('update schema_migrations_journal set finished_at = null');
    made.change(BUILD);
    await made.migrator().up();
    expect(await indexes(made)).toEqual(WHOLE);
  });
});

describe('a partitioned-index step that cannot be done', () => {
  it('for a unique index without the partition key is refused before anything is built', async () => {
    const made = await withTable(LEVELS, 'create unique index concurrently events_name on events (id, day);');
    const error = await refusal(made.migrator().up());
    expect(error).toMatchObject({ sqlState: '0A000' });
    expect(error.message).toContain('all partitioning columns');
    expect(await indexes(made)).toEqual({});
    made.change('create unique index concurrently events_name on events (id, day, name);');
    await made.migrator().up();
    expect((await indexes(made))['events']).toEqual(['events_name']);
  });

  it('for duplicates leaves what is built, and goes on when they are gone or the statement is another', async () => {
    const made = await withTable(PARTS, 'create unique index concurrently events_name on events (day, id);');
    await made.client.query('insert into events values (500, 12), (500, 12)');
    const error = await refusal(made.migrator().up());
    expect(error).toMatchObject({ sqlState: '23505' });
    expect((await indexes(made))['events_2']).toEqual([`${child('events_2')} invalid`]);
    made.change('create index concurrently events_name on events (day, id);');
    await made.migrator().up();
    const found = await indexes(made);
    expect(found['events']).toEqual(['events_name']);
    expect(
      Object.values(found)
        .flat()
        .filter((name) => name.includes('invalid')),
    ).toEqual([]);
  });

  it('for a foreign partition is refused, names it, and builds nothing', async () => {
    const made = await withTable(PARTS);
    await made.client.query(
      'create foreign data wrapper nowhere; create server away foreign data wrapper nowhere; create foreign table events_far partition of events for values from (50) to (60) server away',
    );
    const error = await refusal(made.migrator().up());
    expect(error).toBeInstanceOf(PartitionedIndexError);
    expect((error as PartitionedIndexError).lacks).toEqual([
      { table: 'public.events_far', problem: expect.stringContaining('A foreign table has no indexes') },
    ]);
    expect(await indexes(made)).toEqual({});
  });

  it('for an index of that name with another definition is refused', async () => {
    const made = await withTable(PARTS, BUILD.replace('concurrently', 'concurrently if not exists'));
    await made.client.query('create index events_name on events (id)');
    expect((await refusal(made.migrator().up())).message).toContain('another definition. Rename one.');
    made.change(BUILD);
    expect(await refusal(made.migrator().up())).toBeInstanceOf(PartitionedIndexError);
    await made.client.query(
      'drop index events_name; create index events_name on events (lower(name), id desc) where id > 0',
    );
    expect(await refusal(made.migrator().up())).toMatchObject({ sqlState: '42P07' });
    made.change(BUILD.replace('concurrently', 'concurrently if not exists'));
    await made.migrator().up();
    expect(await made.names()).toHaveLength(2);
  });

  it('for an invalid part that somebody has attached names it', async () => {
    const made = await withTable(PARTS);
    const error = await interruptBehindSnapshot(
      made,
      'events_1',
      () => made.migrator().up(),
      'create index concurrently',
    );
    expect(error.code).toBe('MIGRATION.FAILED');
    await made.client.query(`alter index events_name attach partition ${child('events_1')}`);
    const incomplete = await refusal(made.migrator().up());
    expect((incomplete as PartitionedIndexError).lacks).toEqual([
      { table: 'public.events_1', problem: expect.stringContaining('REINDEX INDEX CONCURRENTLY') },
    ]);
    expect(await made.names()).toHaveLength(1);
  });
});

describe('the directive', () => {
  const load = async (sql: string): Promise<string> => {
    const folder = migrationFolder({ '001_a.sql': sql });
    folders.push(folder);
    const error = await loadMigrations([folder]).catch((reason: unknown) => reason);
    return error instanceof MigrationSyntaxError ? error.message : 'accepted';
  };

  it('stands above one concurrent build or drop in a NO TRANSACTION file', async () => {
    const nt = (sql: string, rest = ''): string =>
      `-- +goose NO TRANSACTION\n-- +goose Up\n-- +tombstone partitioned-index${rest}\n${sql}\n`;
    for (const good of [
      BUILD,
      'create unique index concurrently if not exists "I" on s."T" using btree (a);',
      'drop index concurrently if exists s.i;',
    ])
      expect([good, await load(nt(good))]).toEqual([good, 'accepted']);
    for (const bad of [
      'create index i on t (a);',
      'create index concurrently on t (a);',
      'create index concurrently i on only t (a);',
      'drop index concurrently a, b;',
      'drop index i;',
      'select 1;',
      '-- +goose StatementBegin\ndrop index concurrently a; drop index concurrently b;\n-- +goose StatementEnd',
      '',
    ])
      expect([bad, await load(nt(bad))]).toEqual([bad, expect.stringContaining('shop/001_a.sql:')]);
    expect(await load(nt(BUILD, ' now'))).toContain('stands alone');
    expect(await load(nt(BUILD).replace('-- +goose NO TRANSACTION\n', ''))).toContain(
      'without a transaction',
    );
    expect(parseMigration('a', nt(BUILD)).up).toHaveLength(1);
  });

  it('makes names of parts that fit 63 bytes and never meet', () => {
    const long = 'ü'.repeat(31);
    const names = [
      child(long),
      child(`${long}x`.slice(1)),
      childName({ schema: 's', name: 'a_b' }, 'c'),
      childName({ schema: 's', name: 'a' }, 'b_c'),
      childName({ schema: 'r', name: 'a' }, 'b_c'),
    ];
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(63);
    expect(childName({ schema: 'public', name: 'events_1' }, 'events_name')).toBe(child('events_1'));
  });
});
