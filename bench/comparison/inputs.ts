import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';
import type { Usage, WorkloadName, Workloads } from './library.ts';
import { liveNumber } from '../data.ts';
import type { Size } from './fill.ts';
import type { Ground } from './ground.ts';
import { type DeletionName, isDeletion } from './trees/deletions.ts';

/** The same calls ask for the same rows in all libraries, and no two calls at the same time for the same. */
export type Inputs = { readonly [Name in WorkloadName]: Workloads[Name]['given'] };

const BATCH = 500;
const RENAMED = 200;
const PAGE = 50;

export function usage(index: number, size: Size): Usage {
  return {
    userId: String(liveNumber(index, size.users)),
    apiKeyId: String(liveNumber(index, size.apiKeys)),
    accountId: String(liveNumber(index, size.accounts)),
    groupId: String(liveNumber(index, size.groups)),
    requestId: randomUUID(),
    model: `model-${index % 12}`,
    inputTokens: 100 + (index % 900),
    outputTokens: 50 + (index % 450),
    totalCost: `0.00${100 + (index % 800)}`,
    actualCost: '0',
    rateMultiplier: '1.5',
    durationMs: 200 + (index % 3000),
    userAgent: 'bench/1.0 (comparison)',
    ipAddress: `10.0.${index % 250}.${(index * 7) % 250}`,
  };
}

/** 200 keys of a block of 300 that no other call of the same round has. */
function keysOfBlock(index: number, { apiKeys }: Size): string[] {
  const first = (index % Math.floor(apiKeys / 300)) * 300;
  const numbers = Array.from({ length: 300 }, (_, n) => first + n + 1);
  return numbers.filter(isLive).slice(0, RENAMED).map(String);
}

export const isLive = (n: number): boolean => ![1, 4, 7].includes(n % 10);

const MADE: {
  readonly [Name in Exclude<WorkloadName, 'W6' | DeletionName>]: (index: number, size: Size) => Inputs[Name];
} = {
  W1: (index, size) => `sk-bench-${liveNumber(index, size.apiKeys)}`,
  W2: (index, size) => ({
    groupId: String(liveNumber(index, size.groups)),
    offset: (index % 4) * PAGE,
    limit: PAGE,
  }),
  W3: (index, size) => String(liveNumber(index, size.groups)),
  W4: usage,
  W5: (index, size) => Array.from({ length: BATCH }, (_, n) => usage(index * BATCH + n, size)),
  W7: (index, size) => ({ ids: keysOfBlock(index, size), round: randomUUID().slice(0, 8) }),
  W8: (index, size) => ({ userId: String(liveNumber(index, size.users)), amount: '0.01' }),
};

/** Inputs of the calls from `first`; those of deletions are planted, because each row can be deleted once. */
export async function inputsOf<Name extends WorkloadName>(
  name: Name,
  { first, count }: { first: number; count: number },
  { client, size, trees }: Ground,
): Promise<Inputs[Name][]> {
  if (name === 'W6') return (await plantKeys(client, count)) as Inputs[Name][];
  if (isDeletion(name)) return (await trees.plantAll(name, count)) as Inputs[Name][];
  const make = MADE[name as 'W1'] as unknown as (index: number, size: Size) => Inputs[Name];
  return Array.from({ length: count }, (_, n) => make(first + n, size));
}

async function plantKeys(client: Client, count: number): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    `insert into api_keys (user_id, key, name) select 1, 'doomed ' || gen_random_uuid(), 'doomed'
     from generate_series(1, $1) returning id`,
    [count],
  );
  return rows.map(({ id }) => id);
}

/** Physically, so that later workloads see the same table. */
export async function removePlanted(workload: WorkloadName, { client, trees }: Ground): Promise<void> {
  if (isDeletion(workload)) await trees.clear();
  // Of the user who owns them all, by an index: a long table would be read to its end.
  else if (workload === 'W6')
    await client.query(`delete from api_keys where name = 'doomed' and user_id = 1`);
}
