import { MikroORM } from '@mikro-orm/postgresql';
import { Client, Pool } from 'pg';
import {
  gateway,
  type GatewayRepositories,
  gatewayRepositories,
  recordUsage,
  recordUsages,
} from '../src/gateway/index.ts';
import { type DataEntityManager, defineDataConfig } from '../src/index.ts';
import { Migrator } from '../src/kit/migrations/index.ts';
import type { Variant, Workload } from './measure.ts';
import { newUsage, type Payer } from './usage-data.ts';
import { fillHistory, GENERATION } from './usage-history.ts';
import { witness } from './usage-witness.ts';

/** A gateway with so many logs. */
interface History {
  readonly rows: number;
  readonly pool: Pool;
  readonly em: DataEntityManager;
  readonly firstGroup: bigint;
}

/** An operation; what it answers must not depend on the number of rows. */
interface Operation {
  readonly name: string;
  readonly share?: number;
  readonly writes?: boolean;
  /** Not timed. */
  make?(history: History, index: number): unknown;
  run(history: History, index: number, made: unknown): Promise<unknown>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const OF_BATCH = 50;
const until = new Date();
const month = { start: new Date(until.getTime() - 30 * DAY_MS), end: until };

const repositories = ({ em }: History): GatewayRepositories => gatewayRepositories(em, { timeZone: 'UTC' });
/** Of the newest generation. */
const recent = (index: number): string => String(1 + ((index * 7) % GENERATION.users));
/** Of any: a longer table has more of them, and the cache of the server has their pages less often. */
const any = ({ rows }: History, index: number): string => String(1 + ((index * 7919) % (rows / 100)));
const account = (index: number): string => String(1 + (index % GENERATION.accounts));

function payer({ firstGroup }: History, index: number): Payer {
  const id = recent(index);
  const groupId = String(firstGroup + (BigInt(id) % BigInt(GENERATION.groups)));
  return { userId: id, apiKeyId: id, groupId, subscriptionId: id, accountId: account(index) };
}

async function userDashboard(history: History, user: string): Promise<unknown> {
  const { total, totalApiKeys } = await repositories(history).usageReports.getUserDashboardStats(user);
  return [total.requests, totalApiKeys];
}

async function firstPage(history: History, user: string): Promise<unknown> {
  const { items, total } = await repositories(history).usageLogs.listByUser(user);
  return [items.length, total];
}

/** Reads first: what is written makes the shorter table longer. */
const OPERATIONS: readonly Operation[] = [
  {
    name: 'user-dashboard',
    run: (history, index) => userDashboard(history, recent(index)),
  },
  {
    name: 'user-dashboard-cold',
    run: (history, index) => userDashboard(history, any(history, index)),
  },
  {
    name: 'user-month',
    run: (history, index) => repositories(history).usageReports.getUserStats(recent(index), month),
  },
  {
    name: 'list-by-user',
    run: (history, index) => firstPage(history, recent(index)),
  },
  {
    name: 'list-by-user-cold',
    run: (history, index) => firstPage(history, any(history, index)),
  },
  {
    name: 'list-slice',
    run: async (history) => (await repositories(history).usageLogs.listSlice({}, {})).items.length,
  },
  {
    name: 'list-slice-of-user',
    run: async (history, index) =>
      (await repositories(history).usageLogs.listSlice({}, { userId: recent(index) })).items.length,
  },
  {
    name: 'account-today',
    run: (history, index) => repositories(history).usageReports.getAccountTodayStats(account(index)),
  },
  {
    name: 'account-window',
    run: (history, index) =>
      repositories(history).usageReports.getAccountWindowStats(
        account(index),
        new Date(until.getTime() - DAY_MS / 4),
      ),
  },
  {
    name: 'aggregate-new-logs',
    share: 0.5,
    run: async (history) => (await repositories(history).dashboardAggregation.aggregateNewLogs()) !== null,
  },
  {
    name: 'record-usage',
    writes: true,
    make: (history, index) => newUsage(payer(history, index), index),
    run: ({ em }, _index, usage) => recordUsage(em, usage as never),
  },
  {
    name: 'record-usages-500',
    share: 0.1,
    writes: true,
    make: (history, index) =>
      Array.from({ length: 500 }, (_, n) => newUsage(payer(history, index * OF_BATCH + (n % OF_BATCH)), n)),
    run: ({ em }, _index, usages) => recordUsages(em, usages as never),
  },
];

/** The operations on two tables of different lengths, in turns; the shorter one is the floor. */
export async function growthWorkloads(
  urls: readonly [string, string],
  sizes: readonly [number, number],
): Promise<{
  readonly workloads: readonly Workload[];
  close(): Promise<void>;
}> {
  const opened: { history: History; close: () => Promise<void> }[] = [];
  for (const [n, rows] of sizes.entries()) opened.push(await open(urls[n] ?? '', rows));
  let current: History | undefined;
  const variant = (operation: Operation, history: History): Variant => ({
    name: `${history.rows.toLocaleString('en')} logs`,
    prepare: async (index) => {
      current = history;
      return operation.make?.(history, index);
    },
    run: (index, made) => operation.run(history, index, made),
  });
  const [small, large] = opened.map(({ history }) => history) as [History, History];
  return {
    workloads: OPERATIONS.map((operation) => ({
      name: `growth-${operation.name}`,
      share: operation.share ?? 1,
      variants: [variant(operation, small), variant(operation, large)],
      ...(operation.writes && {
        witness: (work: () => Promise<unknown>) => witness((current ?? small).pool, work),
      }),
    })),
    close: async () => {
      for (const { close } of opened) await close();
    },
  };
}

async function open(url: string, rows: number): Promise<{ history: History; close: () => Promise<void> }> {
  await new Migrator({ connection: url, modules: [gateway] }).up();
  await fill(url, rows);
  const pool = new Pool({ connectionString: url, max: 1 });
  // Its end does not wait for its session, and the drop of the database cuts one that has not gone yet.
  pool.on('error', () => undefined);
  const orm = await MikroORM.init(
    defineDataConfig({ clientUrl: url, modules: [gateway], pool: { min: 0, max: 1 } }),
  );
  const em = orm.em.fork();
  const { rows: groups } = await pool.query<{ id: string }>(
    `select min(id) as id from groups where name like 'group %' and deleted_at is null`,
  );
  const history = { rows, pool, em, firstGroup: BigInt(groups[0]?.id ?? 0) };
  const { dashboardAggregation } = repositories(history);
  await dashboardAggregation.aggregateRange({ start: new Date(until.getTime() - 9 * DAY_MS), end: until });
  await dashboardAggregation.updateAggregationWatermark(until);
  return {
    history,
    close: async () => {
      await orm.close();
      await pool.end();
    },
  };
}

async function fill(url: string, rows: number): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const start = performance.now();
    await fillHistory(client, { rows, until });
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    process.stderr.write(`${rows.toLocaleString('en')} logs and their ledger were made in ${seconds} s.\n`);
  } finally {
    await client.end();
  }
}
