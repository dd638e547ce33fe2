import type { ClientBase, Pool } from 'pg';
import type { NewUsage } from '../src/gateway/index.ts';
import { copyIn } from './copy-in.ts';
import {
  BATCH_JSON,
  BATCH_STAGED,
  BATCH_UNNEST,
  batchValues,
  BY_BALANCE,
  BY_SUBSCRIPTION,
  listsOf,
  LOG,
  LOGS,
  NAMES,
  STAGE,
  STEPS,
  valuesOf,
} from './usage-statements.ts';

/** In one statement. */
export async function oneAtOnce(pool: Pool, usage: NewUsage): Promise<unknown> {
  const statement = usage.billingType === 1 ? BY_SUBSCRIPTION : BY_BALANCE;
  return (await pool.query({ ...statement, values: valuesOf(usage) })).rows[0];
}

/** In a transaction of three. */
export async function oneInSteps(pool: Pool, usage: NewUsage): Promise<unknown> {
  return inTransaction(pool, async (client) => {
    const log = (await client.query<{ id: string }>({ ...LOG, values: valuesOf(usage) })).rows[0];
    if (!log) return undefined;
    const { userId, apiKeyId, subscriptionId, billingType } = usage;
    const [payer, amount] =
      billingType === 1 ? [subscriptionId, usage.totalCost] : [userId, usage.actualCost];
    const step = billingType === 1 ? STEPS.subscription : STEPS.balance;
    const charged = (await client.query({ ...step, values: [payer, amount] })).rows[0];
    const entry = [log.id, userId, apiKeyId, subscriptionId, billingType, charged !== undefined, amount];
    await client.query({ ...STEPS.entry, values: entry });
    return { ...log, ...charged };
  });
}

export const manyByValues = async (pool: Pool, usages: readonly NewUsage[]): Promise<unknown> =>
  (await pool.query({ ...batchValues(usages.length), values: usages.flatMap(valuesOf) })).rows;

export const manyByUnnest = async (pool: Pool, usages: readonly NewUsage[]): Promise<unknown> =>
  (await pool.query({ ...BATCH_UNNEST, values: listsOf(usages) })).rows;

export const manyByJson = async (pool: Pool, usages: readonly NewUsage[]): Promise<unknown> =>
  (await pool.query({ ...BATCH_JSON, values: [JSON.stringify(usages)] })).rows;

/** By COPY into a temporary table of the connection, and one statement from there. */
export async function manyByStage(pool: Pool, usages: readonly NewUsage[]): Promise<unknown> {
  return inTransaction(pool, async (client) => {
    if (!staged.has(client)) await client.query(STAGE);
    await copyIn(client, 'copy usage_stage from stdin', usages.map(valuesOf));
    const { rows } = await client.query({ ...BATCH_STAGED });
    staged.add(client);
    return rows;
  });
}

/** Connections that have the table. */
const staged = new WeakSet<ClientBase>();

/** By COPY into the logs themselves: nobody is charged, and a request that was stored before fails all of them. */
export async function logsByCopy(pool: Pool, usages: readonly NewUsage[]): Promise<void> {
  const client = await pool.connect();
  try {
    await copyIn(client, `copy usage_logs (${NAMES}) from stdin`, usages.map(valuesOf));
  } finally {
    client.release();
  }
}

/** The same by one statement, which passes over what was stored before. */
export const logsByUnnest = async (pool: Pool, usages: readonly NewUsage[]): Promise<unknown> =>
  pool.query({ ...LOGS, values: listsOf(usages) });

async function inTransaction<T>(pool: Pool, work: (client: ClientBase) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const answer = await work(client);
    await client.query('commit');
    return answer;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
