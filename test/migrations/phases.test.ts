import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/core';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway } from 'tombstone/gateway';
import { ContractRefusedError, MigrationError, Migrator, registerCodeVersion } from 'tombstone/migrations';
import { ROOT } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { backfillFile, itemsFile, rowsOf } from './fixtures/backfill.ts';
import { refusal, setup, type Setup } from './fixtures/shop.ts';

const CONTRACT = '-- +tombstone phase=contract';

/** A table, a file that only adds, and a contract step that takes a column away. */
const withContract = (requirements: string): Promise<Setup> =>
  setup({
    '001_items.sql': '-- +goose Up\ncreate table items (id int, old text);',
    '002_expand.sql': '-- +tombstone phase=expand\n-- +goose Up\nalter table items add fresh text;',
    '003_contract.sql': `${CONTRACT} ${requirements}\n-- +goose Up\nalter table items drop column old;\n-- +goose Down\nalter table items add old text;`,
  });

const hasOld = async ({ url }: Setup): Promise<boolean> =>
  (await rowsOf(url, "select from pg_attribute where attrelid = 'items'::regclass and attname = 'old'"))
    .length > 0;

const waivers = (url: string): Promise<object[]> =>
  rowsOf(
    url,
    'select filename, reason, hindrances, waived_by = session_user as "byUs" from schema_migration_waivers',
  );

describe('a contract step', () => {
  it('waits until no older code is registered, and files before it do not', async () => {
    const made = await withContract('requires-code>=1.10.0');
    const old = await registerCodeVersion(made.url, { service: 'shop', version: '1.9.9' });
    const second = await registerCodeVersion(made.url, { service: 'shop', version: '1.9.9' });
    const fresh = await registerCodeVersion(made.url, { service: 'shop', version: '1.10.0' });
    const error = await refusal(made.migrator().up());
    expect(error).toBeInstanceOf(ContractRefusedError);
    expect(error).toMatchObject({
      code: 'MIGRATION.CONTRACT_REFUSED',
      file: 'shop/003_contract.sql',
      hindrances: {
        code: [{ service: 'shop', version: '1.9.9', instances: 2, needs: '1.10.0' }],
        backfills: [],
      },
    });
    expect(error.message).toContain('shop 1.9.9 is running (2 instances), and it needs 1.10.0');
    expect(error.message).toContain('Applied before it: shop/001_items.sql, shop/002_expand.sql.');
    expect([await made.names(), await hasOld(made)]).toEqual([
      ['shop/001_items.sql', 'shop/002_expand.sql'],
      true,
    ]);
    await old.close();
    expect((await refusal(made.migrator().up())).message).toContain('(1 instance)');
    await second.close();
    await made.migrator().up();
    expect(await hasOld(made)).toBe(false);
    await fresh.close();
  });

  it('looks at the services that it names only', async () => {
    const made = await withContract('requires-code=shop>=2.0.0');
    const other = await registerCodeVersion(made.url, { service: 'billing', version: '0.0.1' });
    const shop = await registerCodeVersion(made.url, { service: 'shop', version: '1.99.99' });
    expect(await refusal(made.migrator().up())).toMatchObject({
      hindrances: { code: [{ service: 'shop', version: '1.99.99', needs: '2.0.0' }] },
    });
    await shop.close();
    await made.migrator().up();
    await other.close();
  });

  it('waits for a back-fill that is not verified, such as one that was only recorded', async () => {
    const made = await setup({
      '001_items.sql': itemsFile(5),
      '002_copy.sql': backfillFile(),
      '003_contract.sql': `${CONTRACT} requires-backfill=shop/002_copy.sql\n-- +goose Up\ndrop table items;`,
    });
    await made.migrator().up({ steps: 1 });
    await made.migrator().log('002');
    const error = await refusal(made.migrator().up());
    expect(error).toMatchObject({ hindrances: { code: [], backfills: ['shop/002_copy.sql'] } });
    expect(error.message).toContain('the back-fill of shop/002_copy.sql is not verified');
    await made.migrator().unlog('002');
    await made.migrator().up();
    expect(await made.names()).toHaveLength(3);
  });

  it('is applied with a waiver, which is recorded with what stood against it', async () => {
    const made = await withContract('requires-code>=2.0.0');
    const old = await registerCodeVersion(made.url, { service: 'shop', version: '1.0.0' });
    await made.migrator().up({ waive: [{ file: '003', reason: ' a cron job of the night \n' }] });
    expect(await waivers(made.url)).toEqual([
      {
        filename: 'shop/003_contract.sql',
        reason: 'a cron job of the night',
        hindrances: {
          code: [{ service: 'shop', version: '1.0.0', instances: 1, needs: '2.0.0' }],
          backfills: [],
        },
        byUs: true,
      },
    ]);
    await old.close();
    // Where nothing stands against it there is nothing to record.
    await made.migrator().down();
    await made.migrator().up({ waive: [{ file: '003', reason: 'again' }] });
    expect(await waivers(made.url)).toHaveLength(1);
  });

  it('is not waived without a reason, nor is what is no contract step', async () => {
    const made = await withContract('requires-code>=2.0.0');
    for (const [file, reason, problem] of [
      ['003', '  ', /needs a reason/],
      ['002', 'why not', /is no contract step/],
      ['009', 'why not', /009/],
    ] as const)
      expect((await refusal(made.migrator().up({ waive: [{ file, reason }] }))).message).toMatch(problem);
    expect(await made.tables()).toEqual([]);
  });

  it.each([
    ['', /says what it waits for/],
    ['requires-code>=1.4', /"requires-code>=1.4" is no requirement/],
    ['requires-code>=v1.4.0', /is no requirement/],
    ['requires-code>=01.4.0', /is no requirement/],
    ['requires-code>=1.4.0-rc.1', /is no requirement/],
    ['requires-code=a/b>=1.4.0', /is no requirement/],
    ['requires-code<1.4.0', /is no requirement/],
    ['requires-backfill=007', /is no requirement/],
    ['requires=1', /is no requirement/],
    [`requires-code>=1.0.0\n${CONTRACT} requires-code>=2.0.0`, /has one phase/],
  ])('is refused with the requirement "%s"', async (requirements, problem) => {
    const made = await withContract(requirements);
    const error = await refusal(made.migrator().up());
    expect([error.code, error.message]).toEqual(['MIGRATION.SYNTAX', expect.stringMatching(problem)]);
    expect(await made.tables()).toEqual([]);
  });

  it.each([
    ['phase=contrakt requires-code>=1.0.0', /A phase is expand, migrate or contract/],
    ['phase contract', /A phase is expand/],
    ['phase=expand requires-code>=1.0.0', /Only a contract step has requirements/],
    ['phases=contract', /"phases" is no directive/],
  ])('is not what a mistyped line says: %s', async (line, problem) => {
    const made = await setup({ '001_a.sql': `-- +tombstone ${line}\n-- +goose Up\nselect 1;` });
    expect((await refusal(made.migrator().up())).message).toMatch(problem);
  });
});

describe('code that is registered', () => {
  it('counts until its heartbeats have stayed away for its time, when its process is killed', async () => {
    const made = await withContract('requires-code>=2.0.0');
    const script = join(ROOT, 'test/migrations/fixtures/service.ts');
    const service = spawn(
      process.execPath,
      ['--import', './tools/from-sources.js', script, '1.0.0', '3000'],
      {
        cwd: ROOT,
        env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: made.url },
      },
    );
    await once(service.stdout, 'data');
    const ended = once(service, 'close');
    service.kill('SIGKILL');
    await ended;
    expect((await refusal(made.migrator().up())).code).toBe('MIGRATION.CONTRACT_REFUSED');
    const isAlive = 'select from schema_migration_code_versions where expires_at > clock_timestamp()';
    while ((await rowsOf(made.url, isAlive)).length > 0) await sleep(100);
    await made.migrator().up();
    expect(await hasOld(made)).toBe(false);
  });

  it('puts its end off with every heartbeat, and is gone when it is closed', async () => {
    const { url } = await emptyTestDatabase();
    const registration = await registerCodeVersion(url, { service: 'shop', version: '1.0.0', ttlMs: 600 });
    const end = async (): Promise<number> =>
      (
        await rowsOf<{ at: Date }>(url, 'select expires_at as at from schema_migration_code_versions')
      )[0]?.at.getTime() ?? 0;
    const first = await end();
    while ((await end()) <= first) await sleep(50);
    await registration.close();
    expect(await end()).toBe(0);
  });

  it('may come through an entity manager, and its table is none of the schema', async () => {
    const { url } = await emptyTestDatabase();
    await new Migrator({ connection: url, modules: [gateway] }).up();
    const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
    const registration = await registerCodeVersion(orm.em, { service: 'gateway', version: '1.4.0' });
    expect(await rowsOf(url, 'select service, version from schema_migration_code_versions')).toEqual([
      { service: 'gateway', version: '1.4.0' },
    ]);
    expect((await orm.schema.getUpdateSchemaSQL()).replace(/^set .*$/gm, '').trim()).toBe('');
    await registration.close();
    await orm.close();
  });

  it('may start in eight instances at once on a database that knows none', async () => {
    const { url } = await emptyTestDatabase();
    const all = await Promise.all(
      Array.from({ length: 8 }, () => registerCodeVersion(url, { service: 'shop', version: '1.0.0' })),
    );
    expect(await rowsOf(url, 'select from schema_migration_code_versions')).toHaveLength(8);
    await Promise.all(all.map((registration) => registration.close()));
  });

  it('tells of a heartbeat that failed, and goes on', async () => {
    const { url } = await emptyTestDatabase();
    let failed: (error: unknown) => void = () => undefined;
    const failure = new Promise((done) => (failed = done));
    const options = {
      service: 'shop',
      version: '1.0.0',
      ttlMs: 300,
      onError: (error: unknown) => failed(error),
    };
    const registration = await registerCodeVersion(url, options);
    await rowsOf(url, 'alter table schema_migration_code_versions rename to away');
    expect(await failure).toMatchObject({ code: '42P01' });
    await rowsOf(url, 'alter table away rename to schema_migration_code_versions');
    await registration.close();
  });

  it('is refused with a name, a version or a time that is none, and where its table cannot be made', async () => {
    const { url } = await emptyTestDatabase();
    const good = { service: 'shop', version: '1.0.0' };
    for (const bad of [
      { service: "a'b" },
      { service: '' },
      { version: '1.0' },
      { version: "1.0.0'" },
      { ttlMs: 0.5 },
    ])
      await expect(registerCodeVersion(url, { ...good, ...bad })).rejects.toThrow(RangeError);
    await rowsOf(url, 'drop schema public');
    await expect(registerCodeVersion(url, good)).rejects.toMatchObject({ code: 'MIGRATION.LEDGER' });
  });
});

describe('code that is older than the database', () => {
  const OLD = { service: 'shop', version: '1.9.0' };

  it('is not registered once a contract step is applied, and again when it is reverted', async () => {
    const made = await withContract('requires-code=shop>=2.0.0');
    await made.migrator().up();
    await expect(registerCodeVersion(made.url, OLD)).rejects.toMatchObject({
      code: 'MIGRATION.CODE_TOO_OLD',
      file: 'shop/003_contract.sql',
      message: expect.stringContaining(
        'shop 1.9.0 is too old for this database: shop/003_contract.sql needs 2.0.0',
      ),
    });
    expect(await rowsOf(made.url, 'select from schema_migration_code_versions')).toEqual([]);
    const others = [
      { service: 'shop', version: '2.0.0' },
      { service: 'billing', version: '0.1.0' },
    ];
    for (const code of others) await (await registerCodeVersion(made.url, code)).close();
    await made.migrator().down();
    const old = await registerCodeVersion(made.url, OLD);
    expect((await refusal(made.migrator().up())).code).toBe('MIGRATION.CONTRACT_REFUSED');
    await old.close();
  });

  it('is registered beside a step that was refused, that failed, that was waived or unlogged', async () => {
    const made = await withContract('requires-code>=2.0.0');
    const first = await registerCodeVersion(made.url, OLD);
    await refusal(made.migrator().up());
    const second = await registerCodeVersion(made.url, OLD);
    await made.migrator().up({ waive: [{ file: '003', reason: 'it only reads' }] });
    const third = await registerCodeVersion(made.url, OLD);
    for (const each of [first, second, third]) await each.close();
    await made.migrator().down();
    await rowsOf(made.url, 'create view v as select old from items');
    expect((await refusal(made.migrator().up())).code).toBe('MIGRATION.FAILED');
    await (await registerCodeVersion(made.url, OLD)).close();
    await rowsOf(made.url, 'drop view v');
    await made.migrator().up();
    await made.migrator().unlog('003');
    await (await registerCodeVersion(made.url, OLD)).close();
  });

  it('is told by its heartbeat when a step was applied while it could not reach its table', async () => {
    const made = await withContract('requires-code>=2.0.0');
    let tell: (error: unknown) => void = () => undefined;
    const told = new Promise((done) => (tell = done));
    const onError = (error: unknown): void => {
      if (error instanceof MigrationError) tell(error);
    };
    const registration = await registerCodeVersion(made.url, { ...OLD, ttlMs: 300, onError });
    await rowsOf(made.url, 'alter table schema_migration_code_versions rename to away');
    await made.migrator().up();
    await rowsOf(made.url, 'alter table away rename to schema_migration_code_versions');
    expect(await told).toMatchObject({ code: 'MIGRATION.CODE_TOO_OLD' });
    await registration.close();
    expect(await rowsOf(made.url, 'select from schema_migration_code_versions')).toEqual([]);
  });

  it('is refused while a step is being applied', async () => {
    const made = await withContract('requires-code>=2.0.0');
    await made.migrator().up({ steps: 2 });
    const reader = new Client({ connectionString: made.url });
    await reader.connect();
    await reader.query('begin; select count(*) from items');
    const run = made.migrator({ timeouts: { lockMs: 60_000 } }).up();
    const isWaiting = 'select from pg_locks where not granted and relation = to_regclass($1)';
    while ((await reader.query(isWaiting, ['items'])).rows.length === 0) await sleep(10);
    await expect(registerCodeVersion(made.url, OLD)).rejects.toMatchObject({
      code: 'MIGRATION.CODE_TOO_OLD',
    });
    await reader.query('commit');
    await reader.end();
    await run;
    expect(await hasOld(made)).toBe(false);
  });
});
