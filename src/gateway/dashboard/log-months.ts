import type { DataEntityManager } from '../../kit/orm/index.ts';
import { givingWay } from './giving-way.ts';
import { defaultPartition, isCovered, type Month, monthsAround } from './log-partitions.ts';

// Without the migrations of gatewayUsagePartitions there are no claims to keep.
const HAS_CLAIMS = `select to_regclass('usage_request_ids') is not null as claims`;

/**
 * The tables that a log names, in the order in which recordUsage takes them. Attaching locks them for the new foreign keys; a
 * writer that has them already and waits for the default partition would be waited for in turn.
 */
const LOCK_NAMED =
  'lock table users, user_subscriptions, groups, api_keys, accounts in share row exclusive mode';

/** Whether a divided `usage_logs` is that of `gatewayUsagePartitions`, and not one that somebody has divided by hand. */
export async function hasClaims(em: DataEntityManager): Promise<boolean> {
  const [row] = await em.execute<{ claims: boolean }[]>(HAS_CLAIMS);
  return row?.claims === true;
}

/** As `makePartitions`, each in a transaction of its own, with the logs that were stored before their month was there. */
export async function makeMonths(em: DataEntityManager, now: Date): Promise<string[]> {
  const made: string[] = [];
  for (const month of monthsAround(now)) {
    if (await isCovered(em, month)) continue;
    if (await givingWay(em, (tx) => makeMonth(tx, month))) made.push(month.name);
  }
  return made;
}

/**
 * A table is filled and attached, because CREATE TABLE ... PARTITION OF would stop everybody who uses the logs, and fail where
 * the default partition has one of the month. Readers wait only where they need that partition.
 */
async function makeMonth(em: DataEntityManager, month: Month): Promise<boolean> {
  if (await isCovered(em, month)) return false;
  const { name, start, end } = month;
  await em.execute(`create table ${name} (like usage_logs including all)`);
  await em.execute(LOCK_NAMED);
  const rest = await defaultPartition(em);
  if (rest) await moveOut(em, rest, month);
  await em.execute(
    `alter table usage_logs attach partition ${name} for values from ('${start}') to ('${end}')`,
  );
  await em.execute(`create trigger usage_logs_release after delete on ${name}
    referencing old table as gone for each statement execute function release_usage_logs()`);
  return true;
}

/** Nobody can store another log there until the transaction ends: the lock is the one that ATTACH takes anyway. */
async function moveOut(em: DataEntityManager, rest: string, { name, start, end }: Month): Promise<void> {
  await em.execute(`lock table ${rest} in access exclusive mode`);
  const range = `created_at >= '${start}' and created_at < '${end}'`;
  const found = await em.execute<unknown[]>(`select from ${rest} where ${range} limit 1`);
  if (found.length === 0) return;
  // They are moved, not removed: their ledger and their claims stay.
  await em.execute(`alter table ${rest} disable trigger usage_logs_release`);
  await em.execute(`with moved as (delete from ${rest} where ${range} returning *)
    insert into ${name} select * from moved`);
  await em.execute(`alter table ${rest} enable trigger usage_logs_release`);
}
