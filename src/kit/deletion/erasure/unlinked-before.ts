import type { BatchId } from '../batch-id.ts';
import type { Run } from '../catalogue.ts';
import type { ErasureProof } from './erasure-proof.ts';

type Unlinked = ErasureProof['unlinked'];

/** The rows that the deletion of a live row has unlinked, by the journal. */
export async function unlinkedBy(run: Run, batch: BatchId | null): Promise<Unlinked> {
  if (batch === null) return [];
  return run(
    `select edge as constraint, table_name as table, count(*)::int as rows, json_agg(key order by key) as keys
     from deletion_rows where batch_id = ? and kind = 'unlinked' group by 1, 2 order by 1, 2`,
    [batch],
  );
}

/** One entry for each foreign key: live rows lose the reference before dead ones. */
export function together(all: Unlinked): Unlinked {
  const found = new Map<string, Unlinked[number]>();
  for (const { constraint, table, keys } of all) {
    const name = JSON.stringify([table, constraint]);
    const own = [...(found.get(name)?.keys ?? []), ...keys];
    found.set(name, { constraint, table, rows: own.length, keys: own });
  }
  return [...found.values()];
}
