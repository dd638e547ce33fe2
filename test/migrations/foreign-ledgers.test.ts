import { afterAll, describe, expect, it } from '@jest/globals';
import { Migration, Migrator as MikroMigrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { loadMigrations, type MigrationFile, type MigrationOrder } from 'tombstone/migrations';
import type { HeldLock } from '../../src/kit/migrations/adopt/align/align-step.ts';
import { findLedger, findLedgers } from '../../src/kit/migrations/adopt/ledgers/find-ledgers.ts';
import type { ForeignLedger } from '../../src/kit/migrations/adopt/ledgers/foreign-ledger.ts';
import { mapApplied, type MappedLedger } from '../../src/kit/migrations/adopt/ledgers/map-applied.ts';
import { moveAside } from '../../src/kit/migrations/adopt/ledgers/move-aside.ts';
import { type FileObjects, proveApplied } from '../../src/kit/migrations/adopt/ledgers/prove-applied.ts';
import { describeSchema } from '../../src/kit/migrations/drift/description.ts';
import { Session } from '../../src/kit/migrations/session.ts';
import { migrationFolder } from '../support/migration-folder.ts';
import {
  flyway,
  flywayRows,
  golangMigrate,
  golangVersion,
  goose,
  gooseDown,
  gooseDownOld,
  gooseOld,
  gooseUp,
} from './fixtures/foreign-ledgers.ts';
import { folders, refusal, setup, type Setup, THREE } from './fixtures/shop.ts';

const sessions: Session[] = [];
afterAll(() => Promise.all(sessions.map((session) => session.close())));

interface Ready extends Setup {
  readonly session: Session;
}

/** A database in which this was run, and three files of ours. */
async function databaseWith(sql: string, files: Readonly<Record<string, string>> = THREE): Promise<Ready> {
  const ready = await setup(files);
  await ready.client.query(sql);
  const session = await Session.open(ready.url, { lockMs: 300 });
  sessions.push(session);
  await session.prepare();
  return { ...ready, session };
}

async function ledgerOf(sql: string): Promise<ForeignLedger> {
  const { session } = await databaseWith(sql);
  const ledger = await findLedger(session);
  if (ledger === undefined) throw new Error('no ledger was found');
  return ledger;
}

const applied = (ledger: ForeignLedger): string[] =>
  ledger.applied.map((entry) => {
    if (entry.kind === 'name') return entry.name;
    if (entry.kind === 'repeatable') return entry.script;
    return `${entry.kind === 'up-to' ? '<=' : ''}${entry.version}`;
  });

/** Files of a module, by name. */
async function filesNamed(
  names: readonly string[],
  migrationOrder: MigrationOrder = 'number',
  module = 'shop',
): Promise<MigrationFile[]> {
  const texts = names.map((name) => [name, '-- +goose Up\nselect 1;\n'] as const);
  const folder = migrationFolder(Object.fromEntries(texts), module);
  folders.push(folder);
  return loadMigrations([{ ...folder, migrationOrder }]);
}

const shown = ({ files, ...rest }: MappedLedger): object => ({
  files: files.map(({ name }) => name),
  ...rest,
});
const mapping = (
  files: readonly string[],
  unknown: readonly string[] = [],
  repeatable: readonly string[] = [],
): object => ({
  files: files.map((name) => `shop/${name}`),
  unknown,
  repeatable,
});

describe('the ledger of goose', () => {
  it('tells what is applied in the order of its rows, and the last row of a version decides', async () => {
    const history = [
      gooseUp(1, 2, 7, 3),
      gooseDown(2),
      gooseUp(4),
      gooseDownOld(4),
      gooseUp(5),
      gooseDownOld(5),
      gooseUp(5, 2),
    ];
    for (const table of [goose(), gooseOld()]) {
      const ledger = await ledgerOf([table, ...history].join('\n'));
      expect(ledger).toMatchObject({
        tool: 'goose',
        table: 'public.goose_db_version',
        problems: [],
        notes: [],
      });
      expect(applied(ledger)).toEqual(['1', '7', '3', '5', '2']);
    }
  });

  it('has only its row of version 0, or not even that one: nothing is applied', async () => {
    expect((await ledgerOf(goose())).applied).toEqual([]);
    expect((await ledgerOf(`${goose()} truncate goose_db_version;`)).applied).toEqual([]);
  });

  it('is mapped by number, gaps and versions without a file told', async () => {
    const files = await filesNamed(['001_items.sql', '002_prices.sql', '00003_rows.sql']);
    const ledger = await ledgerOf(goose() + gooseUp(3, 1, 9));
    expect(shown(mapApplied(ledger, files))).toEqual(
      mapping(['001_items.sql', '00003_rows.sql'], ['version 9']),
    );
  });

  it('is mapped where names order by themselves, by their time stamps, as long as one file has them', async () => {
    const names = [
      '20240131093000_b.sql',
      '20240131093000_c.sql',
      '20240201000000_d.sql',
      '9007199254740993_e.sql',
      'tk_x.sql',
    ];
    const files = await filesNamed(names, 'filename');
    const ledger = await ledgerOf(
      goose() + gooseUp('20240131093000', '20240201000000', '9007199254740993', '9007199254740992'),
    );
    expect(shown(mapApplied(ledger, files))).toEqual(
      mapping(names.slice(2, 4), [
        'version 20240131093000, which several files have',
        'version 9007199254740992',
      ]),
    );
  });
});

describe('the ledger of golang-migrate', () => {
  const NAMES = ['000001_items.up.sql', '000002_prices.up.sql', '000004_rows.up.sql'];

  it('means every file up to its version, and none where it has no row', async () => {
    const files = await filesNamed(NAMES);
    const ledger = await ledgerOf(golangMigrate() + golangVersion(2));
    expect(ledger).toMatchObject({ tool: 'golang-migrate', table: 'public.schema_migrations', problems: [] });
    expect(shown(mapApplied(ledger, files))).toEqual(mapping(NAMES.slice(0, 2)));
    const none = await ledgerOf(golangMigrate());
    expect(shown(mapApplied(none, files))).toEqual(mapping([]));
    expect(none.problems).toEqual([]);
  });

  it('tells of a version that has no file, and takes those below it', async () => {
    const ledger = await ledgerOf(golangMigrate() + golangVersion(3));
    expect(shown(mapApplied(ledger, await filesNamed(NAMES)))).toEqual(
      mapping(NAMES.slice(0, 2), ['version 3']),
    );
  });

  it('is no history when it is dirty, or has several rows', async () => {
    const dirty = await ledgerOf(golangMigrate() + golangVersion(2, true));
    expect(dirty.applied).toEqual([]);
    expect(dirty.problems).toEqual([
      expect.stringMatching(/at version 2 and left .* dirty.* "migrate force VERSION".*, and run again\.$/),
    ]);
    const first = await ledgerOf(golangMigrate() + golangVersion(-1, true));
    expect(first.problems).toEqual([expect.stringContaining('while it reverted the first file')]);
    const two = await ledgerOf(
      `${golangMigrate()} insert into schema_migrations values (1, false), (2, false);`,
    );
    expect(two).toMatchObject({ applied: [], problems: [expect.stringContaining('has 2 rows')] });
  });
});

describe('a ledger with the name of ours', () => {
  const OLD = golangMigrate() + golangVersion(2);
  const row = (table: string): string => `select version, dirty from ${table}`;

  async function plan(ready: Ready): Promise<() => Promise<HeldLock[]>> {
    const ledger = await findLedger(ready.session);
    const step = ledger && moveAside(ledger);
    if (!step) throw new Error('nothing is in the way');
    expect(step.text).toMatch(/must not run .* to go back to it, .*\.$/);
    return async () => {
      const locks: HeldLock[] = [];
      await step.run({ session: ready.session, tell: () => undefined, held: (lock) => locks.push(lock) });
      return locks;
    };
  }

  it('stands in the way, is moved aside with its row, and found again there', async () => {
    const ready = await databaseWith(OLD);
    const before = await refusal(ready.migrator().up());
    expect(before.code).toBe('MIGRATION.LEDGER');
    const locks = await (await plan(ready))();
    expect(locks).toEqual([
      { table: 'public.schema_migrations', lock: 'ACCESS EXCLUSIVE', ms: expect.any(Number) },
    ]);
    expect((await ready.client.query(row('schema_migrations_golang_migrate'))).rows).toEqual([
      { version: '2', dirty: false },
    ]);
    const after = await findLedger(ready.session);
    expect(after).toMatchObject({ tool: 'golang-migrate', table: 'public.schema_migrations_golang_migrate' });
    expect(after && moveAside(after)).toBeUndefined();
    expect(after && applied(after)).toEqual(['<=2']);
    // The comparison of schemas must see it, as something that is kept.
    const names = (await describeSchema(ready.session)).map(({ name }) => name);
    expect(names).toContain('public.schema_migrations_golang_migrate');
    await ready.migrator().up();
    const keys = `select conname from pg_constraint where conrelid = 'schema_migrations'::regclass and contype = 'p'`;
    expect((await ready.client.query(keys)).rows).toEqual([{ conname: 'schema_migrations_pkey' }]);
    await ready.client.query(`alter table schema_migrations rename to ours;
      alter table schema_migrations_golang_migrate rename to schema_migrations`);
    expect((await ready.client.query(row('schema_migrations'))).rows).toHaveLength(1);
  });

  it('of goose or Flyway is moved aside too', async () => {
    const ready = await databaseWith(goose('schema_migrations'));
    await (
      await plan(ready)
    )();
    expect(await findLedger(ready.session)).toMatchObject({ table: 'public.schema_migrations_goose' });
  });

  it('stays where it is when its tool has run since the plan was made', async () => {
    for (const change of [golangVersion(3), golangVersion(2, true), 'truncate schema_migrations;']) {
      const ready = await databaseWith(OLD);
      const run = await plan(ready);
      await ready.client.query(change);
      const error = await refusal(run());
      expect(error).toMatchObject({
        code: 'MIGRATION.ADOPTION',
        message: expect.stringMatching(/Stop it, and run again\.$/),
      });
      expect(await ready.client.query(row('schema_migrations'))).toBeDefined();
      expect(ready.session.isInTransaction()).toBe(false);
    }
  });

  it('stays where it is while its tool writes it, and when the new name is taken', async () => {
    const ready = await databaseWith(`${OLD} create table schema_migrations_golang_migrate (id int);`);
    const run = await plan(ready);
    await ready.client.query('begin');
    await ready.client.query(golangVersion(3, true));
    await expect(run()).rejects.toMatchObject({ code: '55P03' });
    await ready.client.query('rollback');
    const error = await refusal(run());
    expect(error).toMatchObject({ code: 'MIGRATION.ADOPTION', message: expect.stringContaining('already') });
    expect((await ready.client.query(row('schema_migrations'))).rows).toEqual([
      { version: '2', dirty: false },
    ]);
    await ready.client.query('drop table schema_migrations_golang_migrate');
    await run();
  });

  it('in another schema, or under another name, is in nobody’s way', async () => {
    const elsewhere = await ledgerOf(
      `create schema app; ${golangMigrate('app.schema_migrations')} ${golangVersion(2, false, 'app.schema_migrations')}`,
    );
    expect(elsewhere.table).toBe('app.schema_migrations');
    expect(moveAside(elsewhere)).toBeUndefined();
  });
});

describe('the ledger of Flyway', () => {
  it('tells versions of all kinds of files in the order in which they ran, what was undone or deleted left out', async () => {
    const rows = flywayRows(
      [null, '<< Flyway Schema Creation >>', 'SCHEMA'],
      ['001', 'items', 'SQL'],
      ['2', 'prices', 'JDBC'],
      ['3.1', 'rows', 'SPRING_JDBC'],
      ['3', 'late', 'SQL'],
      ['2', 'prices', 'UNDO_SQL'],
      ['4', 'gone', 'SQL'],
      ['4', 'gone', 'DELETE'],
      ['5', 'again', 'SCRIPT'],
      ['5', 'again', 'UNDO_SCRIPT'],
      ['6', 'more', 'CUSTOM'],
      ['5.0', 'again', 'SCRIPT'],
    );
    const ledger = await ledgerOf(flyway() + rows);
    expect(ledger).toMatchObject({
      tool: 'flyway',
      table: 'public.flyway_schema_history',
      problems: [],
      notes: [],
    });
    expect(applied(ledger)).toEqual(['001', '3.1', '3', '6', '5.0']);
  });

  it('is mapped by number, a dotted one by its description, and what has no file is told', async () => {
    const files = await filesNamed([
      '001_items.sql',
      '002_add_prices.sql',
      '003_Rows.sql',
      '004_new.sql',
      '007_x.sql',
    ]);
    const rows = flywayRows(
      ['1', 'items', 'SQL'],
      ['1.1', 'add prices', 'SQL'],
      ['2', 'rows', 'SQL'],
      ['7.0', 'y', 'SQL'],
      ['8.2', 'z', 'SQL'],
      ['3', 'other', 'SQL'],
    );
    expect(shown(mapApplied(await ledgerOf(flyway() + rows), files))).toEqual(
      // 3 would be 003_Rows.sql, but that one is 2: these numbers were given anew.
      mapping(
        ['001_items.sql', '002_add_prices.sql', '003_Rows.sql', '007_x.sql'],
        ['version 8.2', 'version 3'],
      ),
    );
  });

  it('is mapped by number where descriptions say nothing', async () => {
    const files = await filesNamed(['001_update.sql', '002_update.sql', '003_update.sql']);
    const rows = flywayRows(['1', 'update', 'SQL'], ['2', 'update', 'SQL'], ['3', '', 'SQL']);
    expect(shown(mapApplied(await ledgerOf(flyway() + rows), files))).toEqual(
      mapping(files.map(({ name }) => name.slice(5))),
    );
  });

  it('is mapped where its own file names were kept', async () => {
    const names = ['1.2_b.sql', 'R__views.sql', 'V1.1__a.sql', 'V1_3__c.sql', 'V2__d.sql'];
    const rows = flywayRows(
      ['1.1', 'x', 'SQL'],
      ['1.2', 'y', 'SQL'],
      ['1.3', 'z', 'SQL'],
      [null, 'views', 'SQL'],
    );
    const files = await filesNamed(names, 'filename');
    expect(shown(mapApplied(await ledgerOf(flyway() + rows), files))).toEqual(mapping(names.slice(0, 4)));
  });

  it('takes everything up to a baseline as applied, whether there are such files or not', async () => {
    const files = await filesNamed(['001_items.sql', '003_prices.sql', '004_rows.sql', '005_new.sql']);
    for (const type of ['BASELINE', 'SQL_BASELINE']) {
      const ledger = await ledgerOf(
        flyway() + flywayRows(['3.5', '<< Flyway Baseline >>', type], ['4', 'rows', 'SQL']),
      );
      expect(applied(ledger)).toEqual(['<=3.5', '4']);
      expect(ledger.notes).toEqual([expect.stringContaining('up to version 3.5 counts as applied')]);
      expect(shown(mapApplied(ledger, files))).toEqual(
        mapping(['001_items.sql', '003_prices.sql', '004_rows.sql']),
      );
    }
  });

  it('knows files that are repeated by their last run, and tells those that have no file', async () => {
    const files = await filesNamed(['001_items.sql', '009_all_views.sql']);
    const rows = flywayRows(
      [null, 'all views', 'SQL'],
      ['1', 'items', 'SQL'],
      [null, 'grants', 'SQL'],
      [null, 'all views', 'SQL'],
      [null, 'old', 'SQL'],
      [null, 'old', 'DELETE'],
    );
    expect(shown(mapApplied(await ledgerOf(flyway() + rows), files))).toEqual(
      mapping(['001_items.sql', '009_all_views.sql'], [], ['R__grants.sql']),
    );
  });

  it('cannot be relied on after a failure, until the file has succeeded or "repair" has cleared it', async () => {
    const failed = await ledgerOf(
      flyway() +
        flywayRows(
          ['1', 'items', 'SQL'],
          ['2', 'prices', '!SQL'],
          [null, 'views', '!SQL'],
          ['1', 'items', '!UNDO_SQL'],
        ),
    );
    expect(failed.problems).toEqual([
      expect.stringMatching(/at version 2\..* with "flyway repair", and run again\.$/),
      expect.stringContaining('at R__views.sql.'),
      expect.stringContaining('at version 1.'),
    ]);
    expect(applied(failed)).toEqual(['1']);
    const settled = await ledgerOf(
      flyway() +
        flywayRows(['2', 'prices', '!SQL'], ['2', 'prices', 'SQL'], ['3', 'x', '!SQL'], ['3', 'x', 'DELETE']),
    );
    expect([applied(settled), settled.problems]).toEqual([['2'], []]);
  });

  it('is found under the name that it had before version 5', async () => {
    expect(await ledgerOf(flyway('schema_version'))).toMatchObject({
      tool: 'flyway',
      table: 'public.schema_version',
      applied: [],
    });
  });
});

describe("the ledger of MikroORM's migrator", () => {
  class Items extends Migration {
    override up(): void {
      this.addSql('create table items (id int)');
    }
    override down(): void {
      this.addSql('drop table items');
    }
  }
  class Prices extends Migration {
    override up(): void {
      this.addSql('create table prices (id int)');
    }
    override down(): void {
      this.addSql('drop table prices');
    }
  }

  async function migrated(
    work: (migrator: MikroMigrator) => Promise<unknown>,
    options: { tableName?: string } = {},
  ): Promise<Ready> {
    const ready = await databaseWith('');
    const migrationsList = [
      { name: 'Migration20240131093000', class: Items },
      { name: 'Migration20240201000000_prices', class: Prices },
      { name: 'Migration20240301000000_gone.ts', class: Items },
    ];
    const orm = await MikroORM.init({
      clientUrl: ready.url,
      entities: [],
      discovery: { warnWhenNoEntities: false },
      extensions: [MikroMigrator],
      migrations: { migrationsList, snapshot: false, silent: true, ...options },
    });
    try {
      await work(orm.migrator as unknown as MikroMigrator);
    } finally {
      await orm.close();
    }
    return ready;
  }

  it('has what the real migrator has run, less what it has reverted, and is mapped by name and time stamp', async () => {
    const { session } = await migrated(async (migrator) => {
      await migrator.up({ to: 'Migration20240201000000_prices' });
      await migrator.down();
      await migrator.up({ to: 'Migration20240201000000_prices' });
      await migrator.logMigration('Migration20240301000000_gone.ts');
    });
    const ledger = await findLedger(session);
    expect(ledger).toMatchObject({ tool: 'mikro-orm', table: 'public.mikro_orm_migrations', problems: [] });
    expect(ledger && applied(ledger)).toEqual([
      'Migration20240131093000',
      'Migration20240201000000_prices',
      'Migration20240301000000_gone',
    ]);
    const unknown = ['Migration20240301000000_gone'];
    const ours = ['20240131093000_items.sql', '20240201000000_prices.sql', '20240401000000_new.sql'];
    expect(ledger && shown(mapApplied(ledger, await filesNamed(ours)))).toEqual(
      mapping(ours.slice(0, 2), unknown),
    );
    const kept = ['Migration20240131093000.sql', 'Migration20240201000000_prices.sql'];
    expect(ledger && shown(mapApplied(ledger, await filesNamed(kept, 'filename')))).toEqual(
      mapping(kept, unknown),
    );
  });

  it('is there when the real migrator has only looked, and in the schema that it was told', async () => {
    const { session } = await migrated((migrator) => migrator.getPending(), {
      tableName: 'history.mikro_orm_migrations',
    });
    expect(await findLedger(session)).toMatchObject({ table: 'history.mikro_orm_migrations', applied: [] });
  });

  it('of an old version has names with their extension, and one file is one', async () => {
    const table =
      'create table mikro_orm_migrations (id serial primary key, name varchar(255), executed_at timestamptz default current_timestamp);';
    const rows = `insert into mikro_orm_migrations (name) values ('Migration20240131093000.js'), ('Migration20240131093000.ts'), ('add-prices')`;
    const ledger = await ledgerOf(`${table} ${rows}`);
    expect(applied(ledger)).toEqual(['Migration20240131093000', 'add-prices']);
    const names = ['20240131093000_a.sql', 'add-prices.sql'];
    expect(shown(mapApplied(ledger, await filesNamed(names, 'filename')))).toEqual(mapping(names));
  });

  it('under another name is only taken when it is asked for: jobs have such columns too', async () => {
    const { session } = await databaseWith(
      'create table jobs (id serial primary key, name text, executed_at timestamptz)',
    );
    expect(await findLedgers(session)).toEqual([]);
    expect(await findLedger(session, 'jobs')).toMatchObject({ tool: 'mikro-orm', table: 'public.jobs' });
  });
});

describe('a table', () => {
  it('that only has the name of a ledger is none', async () => {
    const { session } =
      await databaseWith(`create table goose_db_version (id int, version_id int, is_applied bool, tstamp timestamp);
      create table flyway_schema_history (installed_rank int, version varchar(50), success boolean);
      create table mikro_orm_migrations (id int, name text, executed_at timestamptz, note text);
      create view goose as select 1::bigint as version, true as dirty;
      create schema app; create table app.schema_migrations (version text primary key);
      create table schema_migrations (filename text primary key, checksum text not null, applied_at timestamptz not null default now())`);
    expect(await findLedgers(session)).toEqual([]);
    expect(await findLedger(session)).toBeUndefined();
    const error = await refusal(findLedger(session, 'goose_db_version'));
    expect(error).toMatchObject({
      code: 'MIGRATION.ADOPTION',
      message: expect.stringMatching(/other columns\. This database has none: leave --ledger out\.$/),
    });
  });

  it('with the columns of a ledger is one, whatever its name and schema', async () => {
    const sql = `create schema "My App"; ${goose('"My App"."History of goose"')} insert into "My App"."History of goose" (version_id, is_applied) values (1, true);
      alter table "My App"."History of goose" add more int; alter table "My App"."History of goose" drop more;`;
    const { session } = await databaseWith(sql);
    const ledger = await findLedger(session);
    expect(ledger).toMatchObject({
      tool: 'goose',
      table: '"My App"."History of goose"',
      applied: [{ version: '1' }],
    });
    expect(await findLedger(session, 'My App.History of goose')).toEqual(ledger);
    expect(await findLedger(session, '"My App"."History of goose"')).toEqual(ledger);
  });

  it('is asked for when several tell a history; one in which nothing was applied is none of them', async () => {
    const ready = await databaseWith(
      `${goose()} ${gooseUp(1)} create schema app; ${golangMigrate('app.migrations')} ${flyway()}`,
    );
    expect(await findLedger(ready.session)).toMatchObject({ tool: 'goose' });
    await ready.client.query(golangVersion(1, false, 'app.migrations'));
    const error = await refusal(findLedger(ready.session));
    expect(error).toMatchObject({
      code: 'MIGRATION.ADOPTION',
      details: {
        ledgers: [
          { tool: 'golang-migrate', table: 'app.migrations' },
          { tool: 'goose', table: 'public.goose_db_version' },
        ],
      },
    });
    expect(error.message).toMatch(
      /app\.migrations \(golang-migrate\), public\.goose_db_version \(goose\)\. .* with --ledger schema\.table\.$/,
    );
    expect(await findLedger(ready.session, 'app.migrations')).toMatchObject({ tool: 'golang-migrate' });
    expect(await findLedger(ready.session, 'goose_db_version')).toMatchObject({ tool: 'goose' });
    expect((await refusal(findLedger(ready.session, 'migrations'))).message).toContain(
      'Name one of: app.migrations',
    );
    expect(await findLedgers(ready.session)).toHaveLength(3);
  });

  it('that this role may not read is refused in a sentence', async () => {
    const { session } = await databaseWith(goose());
    await session.run('set role pg_monitor');
    const error = await refusal(findLedgers(session));
    expect(error).toMatchObject({
      code: 'MIGRATION.ADOPTION',
      message: expect.stringMatching(/\[42501\]\. Grant .*\.$/),
    });
    await session.reset();
  });

  it('that is far too long is not read into memory', async () => {
    const { session } = await databaseWith(
      `${goose()} insert into goose_db_version (version_id, is_applied) select n, true from generate_series(1, 50001) n`,
    );
    expect((await refusal(findLedger(session))).message).toMatch(/more than 50000 rows\. .* --ledger\.$/);
  });
});

describe('the numbers of a ledger, where there are several modules,', () => {
  it('are those of the one that is named', async () => {
    const shop = await filesNamed(['001_items.sql', '002_prices.sql']);
    const files = [...(await filesNamed(['001_users.sql'], 'number', 'people')), ...shop];
    const ledger = await ledgerOf(goose() + gooseUp(1));
    expect(() => mapApplied(ledger, files)).toThrow(/modules: people, shop\. Name one with --module\.$/);
    expect(() => mapApplied(ledger, files, 'sales')).toThrow(
      /no module sales .* Name one of: people, shop\.$/,
    );
    expect(shown(mapApplied(ledger, files, 'shop'))).toEqual(mapping(['001_items.sql']));
  });
});

describe('the proof', () => {
  const FILES = {
    '001_items.sql': '-- +goose Up\ncreate table items (id int, name text);\n',
    '002_index.sql': '-- +goose Up\ncreate index items_name on items (name);\ncreate table old (id int);\n',
    '003_drop.sql': '-- +goose Up\ndrop table old;\n',
    '004_again.sql': '-- +goose Up\ncreate table old (id int);\n',
  };
  const NAMES = Object.keys(FILES).map((name) => `shop/${name}`);

  async function replayed(): Promise<FileObjects[]> {
    const { session, migrator } = await databaseWith('', FILES);
    const timeline: FileObjects[] = [];
    let before = await describeSchema(session);
    for (const file of NAMES) {
      await migrator().up({ to: file });
      const after = await describeSchema(session);
      const lacks = (schema: typeof after) => (object: (typeof after)[number]) =>
        !schema.some(({ kind, name }) => kind === object.kind && name === object.name);
      timeline.push({ file, makes: after.filter(lacks(before)), drops: before.filter(lacks(after)) });
      before = after;
    }
    return timeline;
  }

  it('is that everything that applied files make, and later ones leave, is there', async () => {
    const timeline = await replayed();
    const { session, client } = await databaseWith(`${goose()} ${gooseUp(1, 2)}
      create table items (id int, name text); create index items_name on items (name); create table old (id int)`);
    const live = await describeSchema(session);
    expect(proveApplied(timeline, new Set(NAMES.slice(0, 2)), live)).toEqual([]);
    await client.query('drop index items_name; drop table old; alter table items drop name');
    const less = await describeSchema(session);
    expect(proveApplied(timeline, new Set(NAMES.slice(0, 3)), less)).toEqual([
      { file: NAMES[0], missing: ['column public.items.name'] },
      { file: NAMES[1], missing: ['index public.items_name'] },
    ]);
    expect(proveApplied(timeline, new Set(NAMES.slice(2)), less)).toEqual([
      { file: NAMES[3], missing: ['table public.old', 'column public.old.id'] },
    ]);
    expect(proveApplied(timeline, new Set(), less)).toEqual([]);
  });
});
