import { escapeIdentifier, escapeLiteral } from 'pg';
import { type DataEntityManager, ownDeletionOf } from '../orm/index.ts';
import { runOf } from './graph-of.ts';
import { instantText } from './instant-sql.ts';
import { softRoots, softTables } from './soft-table.ts';

/** Deleted rows of a class of which no journal tells what belongs together. */
export interface UnjournaledRows {
  readonly entity: string;
  readonly table: string;
  readonly rows: number;
  /** When the first and the last of them were deleted; null without rows. */
  readonly oldest: string | null;
  readonly newest: string | null;
}

/** Counts the deleted rows of the soft-deletable classes that do not delete by policies. It reads their whole tables or indexes. */
export async function countUnjournaled(em: DataEntityManager): Promise<UnjournaledRows[]> {
  const own = em.fork({ keepTransactionContext: true });
  const run = runOf(own);
  const metas = softRoots(own).filter((meta) => !ownDeletionOf(meta));
  const tables = await softTables(own, run, metas);
  if (tables.length === 0) return [];
  const counts = tables.map(({ entity = '', name, sql, deletedAt = '' }) => {
    const mark = `t.${escapeIdentifier(deletedAt)}`;
    return `select ${escapeLiteral(entity)} as entity, ${escapeLiteral(name)} as table, count(*)::int as rows,
        ${instantText(`min(${mark})`)} as oldest, ${instantText(`max(${mark})`)} as newest
      from ${sql} t where ${mark} is not null /* soft-delete: dead rows, because they are what is counted */`;
  });
  return run<UnjournaledRows>(`${counts.join(' union all ')} order by entity`);
}
