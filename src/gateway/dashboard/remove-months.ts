import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import { givingWay } from './giving-way.ts';
import {
  defaultPartition,
  expiredPartitions,
  isPartition,
  type Partition,
  startOfMonth,
} from './log-partitions.ts';
import { lockWatermark } from './watermark.ts';

/** What went: the number of logs, and the partitions that were dropped when they were empty. */
export interface RemovedMonths {
  readonly rows: number;
  readonly partitions: readonly string[];
}

/**
 * Removes the months that end at the cutoff or before it. First their logs go batch by batch, each with its line of the
 * ledger and its claim, as single logs do; whoever reads meanwhile sees fewer logs and never half of one. Then the empty
 * partition is dropped. After an interruption the next call goes on. Logs of such months that never had a partition go, too.
 */
export async function removeMonths(
  em: DataEntityManager,
  cutoff: Date,
  size: number,
): Promise<RemovedMonths> {
  let rows = 0;
  const partitions: string[] = [];
  for (const partition of await expiredPartitions(em, cutoff)) {
    let end: PartitionEnd;
    do {
      rows += await removeLogs(em, partition, size);
      end = await dropEmpty(em, partition.name);
    } while (end === 'filled');
    if (end === 'dropped') partitions.push(partition.name);
  }
  const rest = await defaultPartition(em);
  if (rest)
    rows += await removeLogs(em, { name: rest, lower: '-infinity', upper: startOfMonth(cutoff) }, size);
  return { rows, partitions };
}

async function removeLogs(em: DataEntityManager, partition: Partition, size: number): Promise<number> {
  let rows = 0;
  let from = '-infinity';
  for (;;) {
    const batch = await unitOfWork(em, async (tx) => {
      await lockWatermark(tx);
      // Whoever cleans up at the same time may have been the first to drop it, behind the same lock.
      return (await isPartition(tx, partition.name)) ? removeBatch(tx, partition, from, size) : NOTHING;
    });
    rows += batch.removed;
    if (batch.last === null) return rows;
    from = batch.last;
  }
}

interface Batch {
  readonly removed: number;
  /** The instant of the last log that was looked at; null when there was none. */
  readonly last: string | null;
}

const NOTHING: Batch = { removed: 0, last: null };

/**
 * Through the whole table, whose trigger removes what is kept for a log, and bounded so that no other partition is looked at.
 * From an instant on, so that a batch does not walk over what the batches before have removed.
 */
async function removeBatch(
  em: DataEntityManager,
  { name, lower, upper }: Partition,
  from: string,
  size: number,
): Promise<Batch> {
  const [batch] = await em.execute<Batch[]>(
    `with old as materialized (
      select id, created_at from ${name} where created_at >= ?::timestamptz and created_at < ?::timestamptz
      order by created_at limit ?
    ), gone as (
      delete from usage_logs l using old where l.id = old.id and l.created_at = old.created_at
        and l.created_at >= ?::timestamptz and l.created_at < ?::timestamptz
      returning l.id
    )
    select (select count(*) from gone)::int as removed, (select max(created_at) from old)::text as last`,
    [from, upper, size, lower, upper],
  );
  return batch ?? NOTHING;
}

/** How a partition has ended: `filled`, when somebody has stored a log there meanwhile, and `gone`, when another one dropped it. */
type PartitionEnd = 'dropped' | 'filled' | 'gone';

async function dropEmpty(em: DataEntityManager, name: string): Promise<PartitionEnd> {
  return givingWay(em, async (tx) => {
    if (!(await isPartition(tx, name))) return 'gone';
    await tx.execute(`lock table ${name} in share row exclusive mode`);
    const [log] = await tx.execute<unknown[]>(`select 1 from ${name} limit 1`);
    if (log) return 'filled';
    await tx.execute(`drop table ${name}`);
    return 'dropped';
  });
}
