import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { checkDown, findDrift, lintMigrations, Migrator } from 'tombstone/migrations';
import { MikroORM } from '@mikro-orm/core';
import { defineDataConfig } from 'tombstone';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { insertLogs, mustCreateUsageWorld, type UsageWorld } from '../support/gateway-usage-logs.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { DIVIDED_MODULES, divideUsageLogs, openUsageGateway } from '../support/usage-forms.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openUsageGateway('monthly-partitions');
});
afterAll(() => gateway.close());

const COLUMNS = `select a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then ' not null' else '' end
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
  from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where a.attrelid = 'usage_logs'::regclass and a.attnum > 0 and not a.attisdropped order by 1`;

const INDEXES = `select replace(indexdef, ' ON ONLY ', ' ON ') as line from pg_indexes where tablename = 'usage_logs' order by 1`;

const KEYS = `select conname || ' ' || pg_get_constraintdef(oid) as line from pg_constraint
  where conrelid in ('usage_logs'::regclass, 'billing_usage_entries'::regclass) and conparentid = 0 and contype <> 'n' order by 1`;

const linesOf = async ({ rows }: Gateway, sql: string): Promise<string[]> =>
  (await rows<{ line: string }>(sql)).map(({ line }) => line);

/** The lines that only the one or only the other has. */
async function difference(other: Gateway, sql: string): Promise<{ gone: string[]; come: string[] }> {
  const [before, after] = [await linesOf(other, sql), await linesOf(gateway, sql)];
  expect(before.length).toBeGreaterThan(5);
  return {
    gone: before.filter((line) => !after.includes(line)),
    come: after.filter((line) => !before.includes(line)),
  };
}

describe('the schema of logs that are divided by month', () => {
  it('is that of the one table but for what such a table cannot have', async () => {
    const one = await openGateway();
    expect(await difference(one, COLUMNS)).toEqual({ gone: [], come: [] });
    expect(await difference(one, INDEXES)).toEqual({
      gone: [
        'CREATE UNIQUE INDEX idx_usage_logs_request_id_api_key_unique ON public.usage_logs USING btree (request_id, api_key_id)',
        'CREATE UNIQUE INDEX usage_logs_pkey ON public.usage_logs USING btree (id)',
      ],
      come: ['CREATE UNIQUE INDEX usage_logs_pkey ON public.usage_logs USING btree (id, created_at)'],
    });
    expect(await difference(one, KEYS)).toEqual({
      gone: [
        'billing_usage_entries_usage_log_id_fkey FOREIGN KEY (usage_log_id) REFERENCES usage_logs(id) ON DELETE CASCADE',
        'usage_logs_pkey PRIMARY KEY (id)',
      ],
      come: ['usage_logs_pkey PRIMARY KEY (id, created_at)'],
    });
    await one.close();
  });

  it('gives every month the indexes, the keys and the triggers of the whole', async () => {
    const months = await gateway.rows<{ name: string; indexes: number; keys: number; triggers: string[] }>(
      `select c.relname as name,
        (select count(*)::int from pg_index i join pg_inherits h on h.inhrelid = i.indexrelid where i.indrelid = c.oid and i.indisvalid) as indexes,
        (select count(*)::int from pg_constraint k where k.conrelid = c.oid and k.contype = 'f' and k.convalidated) as keys,
        (select array_agg(tgname::text order by tgname) from pg_trigger t where t.tgrelid = c.oid and not tgisinternal) as triggers
      from pg_inherits p join pg_class c on c.oid = p.inhrelid where p.inhparent = 'usage_logs'::regclass order by 1`,
    );
    expect(months).toHaveLength(4);
    for (const month of months)
      expect(month).toMatchObject({
        indexes: 8,
        keys: 5,
        triggers: ['usage_logs_claim', 'usage_logs_identity', 'usage_logs_release'],
      });
  });

  it('is no difference to the entities, and no drift, with months that came later', async () => {
    const modules = DIVIDED_MODULES;
    const orm = await MikroORM.init(defineDataConfig({ clientUrl: gateway.url, modules }));
    const sql = (await orm.schema.getUpdateSchemaSQL()).replace(/^set .*$/gm, '').trim();
    await orm.close();
    expect(sql).toBe('');
    const drift = await findDrift({ connection: gateway.url, modules });
    expect(drift.findings).toEqual([]);
    // What is not a month would be found.
    await gateway.rows('create index extra on usage_logs (image_size)');
    const { findings } = await findDrift({ connection: gateway.url, modules });
    await gateway.rows('drop index extra');
    expect(findings.map(({ kind, name }) => `${kind} ${name}`)).toEqual(
      expect.arrayContaining(['index public.extra']),
    );
    expect(findings.filter(({ name }) => /usage_logs_\d{6}/.test(name))).toEqual([]);
  });
});

describe('the migrations that divide the logs', () => {
  it('have no dangerous statement without a reason', async () => {
    expect(await lintMigrations(DIVIDED_MODULES)).toEqual([]);
  });

  it('give back what they have changed, with planted rows', async () => {
    const reports = await checkDown({ connection: gateway.url, modules: DIVIDED_MODULES });
    expect(reports.filter(({ file }) => file.startsWith('gateway_usage_partitions/'))).toHaveLength(5);
    expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
  }, 120_000);

  it('divide a new database at once, and go back to nothing', async () => {
    const { url } = await emptyTestDatabase();
    const migrator = new Migrator({ connection: url, modules: DIVIDED_MODULES });
    await migrator.up();
    await migrator.down({ to: 0 });
    await migrator.up();
    const own = await openGateway({ url });
    const parts = `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'usage_logs'::regclass`;
    expect(await own.rows(parts)).toEqual([{ name: 'usage_logs_default' }]);
    await own.close();
  });

  it.each([
    ['view', 'create view sums as select user_id, sum(total_cost) from usage_logs group by 1', /view sums/],
    [
      'foreign key',
      'create table notes (log bigint references usage_logs (id))',
      /foreign key notes_log_fkey/,
    ],
    [
      'trigger',
      `create trigger mine before insert on usage_logs for each row execute function suppress_redundant_updates_trigger()`,
      /trigger mine/,
    ],
    ['publication', 'create publication feed for table usage_logs', /publication feed/],
  ])(
    'refuse a table on which a %s of somebody else hangs, and leave it as it is',
    async (_, sql, message) => {
      const { url } = await cloneTestDatabase();
      const own = await openGateway({ url });
      await own.rows(sql);
      await expect(divideUsageLogs(url)).rejects.toThrow(message);
      expect(await own.rows(`select relkind from pg_class where relname = 'usage_logs'`)).toEqual([
        { relkind: 'r' },
      ]);
      await own.close();
    },
  );
});

describe('plans on months', () => {
  let world: UsageWorld;
  const month = { start: new Date('2026-03-01T00:00:00Z'), end: new Date('2026-04-01T00:00:00Z') };
  beforeAll(async () => {
    const em = gateway.em();
    world = await mustCreateUsageWorld(em);
    for (let n = 0; n < 12; n += 1) {
      const now = new Date(Date.UTC(2026, n, 15));
      await gatewayRepositories(em).dashboardAggregation.ensureUsageLogsPartitions(now);
      await insertLogs(em, world, [{ created_at: now.toISOString() }]);
    }
    await gateway.rows('analyze usage_logs');
  });

  /** The partitions that the statements of the work look at. */
  async function partitionsOf(work: () => Promise<unknown>): Promise<string[]> {
    gateway.statements();
    await work();
    const names = new Set<string>();
    for (const sql of gateway.statements()) {
      if (!sql.includes('usage_logs')) continue;
      const rows = await gateway.rows<{ 'QUERY PLAN': string }>(
        `explain (analyze, timing off, costs off) ${sql.replace(/ \[took .*$/s, '')}`,
      );
      for (const { 'QUERY PLAN': line } of rows)
        if (!line.includes('never executed'))
          for (const [name] of line.matchAll(/(?<= on )usage_logs_(\d{6}|default|history)/g)) names.add(name);
    }
    return [...names].toSorted();
  }
  const reports = (): GatewayRepositories['usageReports'] =>
    gatewayRepositories(gateway.em(), { timeZone: 'UTC' }).usageReports;
  const logs = (): GatewayRepositories['usageLogs'] => gatewayRepositories(gateway.em()).usageLogs;

  it('look at the month of a range, and at what has no month in it', async () => {
    const of = world.user_id;
    for (const work of [
      () => reports().getUserStats(of, month),
      () => reports().getUserUsageTrendByUserId(of, month, 'day'),
      () => reports().getModelStatsWithFilters(month, {}),
      () => reports().getGlobalStats({ startTime: month.start, endTime: new Date('2026-03-31T23:59:59Z') }),
      () => logs().listByUserAndTimeRange(of, month),
    ])
      expect(await partitionsOf(work)).toEqual(['usage_logs_202603']);
    // Without a range there is nothing to go by.
    expect((await partitionsOf(() => logs().listByUser(of))).length).toBeGreaterThan(10);
  });
});
