import { runIn } from '../graph-of.ts';
import { statement } from '../statement.ts';
import type { PurgeWork } from './purge-batch.ts';
import { FORGET, pruneSql } from './prune-sql.ts';
import type { Subject } from './subject.ts';

const SIZE = 1000;
const MARKED = `select from pg_catalog.pg_attribute where attrelid = pg_catalog.to_regclass('deletion_batches') and attname = 'purged_at'`;

interface Seen {
  readonly pruned: number;
  readonly id: string;
  readonly deletedAt: string;
}

/** Empties the batches that have no row left, each statement a transaction of its own; answers how many. */
export async function pruneJournal(
  { driver, graph }: PurgeWork,
  subjects: readonly Subject[],
): Promise<number> {
  const run = runIn(driver);
  if (!graph.hasJournal || (await run(MARKED)).length === 0) return 0;
  let pruned = 0;
  for (const age of new Set(
    subjects.flatMap(({ olderThan, tenants }) => [olderThan, ...Object.values(tenants)]),
  )) {
    let seen: Seen | undefined;
    do {
      const text = pruneSql(graph.journaled, seen === undefined);
      const { sql, params } = statement(text, { size: SIZE, age, deleted: seen?.deletedAt, id: seen?.id });
      [seen] = await run<Seen>(sql, params);
      pruned += seen?.pruned ?? 0;
    } while (seen);
  }
  return pruned;
}

/** Takes the batches that have been purged or restored for longer than the interval out of the journal. */
export async function forgetOld({ driver, graph }: PurgeWork, keep: string): Promise<void> {
  const run = runIn(driver);
  if (!graph.hasJournal || (await run(MARKED)).length === 0) return;
  const { sql, params } = statement(FORGET, { keep, size: SIZE });
  while (((await run<{ rows: number }>(sql, params))[0]?.rows ?? 0) === SIZE);
}
