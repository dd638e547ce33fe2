import { describe, expect, it } from '@jest/globals';
import type { HeldLock } from '../../src/kit/migrations/adopt/align/align-step.ts';
import { findLedger, findLedgers } from '../../src/kit/migrations/adopt/ledgers/find-ledgers.ts';
import { mapApplied } from '../../src/kit/migrations/adopt/ledgers/map-applied.ts';
import { moveAside } from '../../src/kit/migrations/adopt/ledgers/move-aside.ts';
import { describeSchema } from '../../src/kit/migrations/drift/description.ts';
import { flyway, golangMigrate, golangVersion, goose, gooseUp } from './fixtures/foreign-ledgers.ts';
import {
  applied,
  databaseWith,
  filesNamed,
  ledgerOf,
  mapping,
  type Ready,
  shown,
} from './fixtures/ledger-of.ts';
import { refusal } from './fixtures/shop.ts';

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

  it('stays where it is while its tool writes it, when the new name is taken, and for a role that is not its owner', async () => {
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
    await ready.session.run('set role pg_monitor');
    expect((await refusal(run())).message).toMatch(/may not rename .* Run as the owner of that table\.$/);
    await ready.session.reset();
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
