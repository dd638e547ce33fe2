import { describe, expect, it } from '@jest/globals';
import { Migration, Migrator as MikroMigrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { findLedger, findLedgers } from '../../src/kit/migrations/adopt/ledgers/find-ledgers.ts';
import { refuseProblems } from '../../src/kit/migrations/adopt/ledgers/foreign-ledger.ts';
import { mapApplied } from '../../src/kit/migrations/adopt/ledgers/map-applied.ts';
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
import {
  applied,
  databaseWith,
  filesNamed,
  ledgerOf,
  mapping,
  type Ready,
  shown,
} from './fixtures/ledger-of.ts';

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
    expect(() => refuseProblems(dirty)).toThrow(
      /^The history in public\.schema_migrations cannot be relied on\.\nA run/,
    );
    expect(() => refuseProblems({ ...dirty, problems: [] })).not.toThrow();
    const first = await ledgerOf(golangMigrate() + golangVersion(-1, true));
    expect(first.problems).toEqual([expect.stringContaining('while it reverted the first file')]);
    const two = await ledgerOf(
      `${golangMigrate()} insert into schema_migrations values (1, false), (2, false);`,
    );
    expect(two).toMatchObject({ applied: [], problems: [expect.stringContaining('has 2 rows')] });
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
      ['7', 'short', 'SQL'],
      ['7.0', 'short', 'UNDO_SQL'],
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
    const ledger = await ledgerOf(flyway() + rows);
    expect(applied(ledger)).toEqual(['1', 'R__grants.sql', 'R__all_views.sql']);
    expect(shown(mapApplied(ledger, files))).toEqual(
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
