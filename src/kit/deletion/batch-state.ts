import { escapeIdentifier, escapeLiteral } from 'pg';
import type { BatchId } from './batch-id.ts';
import type { Run } from './catalogue.ts';
import type { GraphTable } from './graph.ts';
import { hasKey } from './key-sql.ts';
import { asMark } from './mark-sql.ts';
import { statement } from './statement.ts';

/** What of a batch is as it was left, by table. */
export interface LeftRows {
  readonly batch: BatchId;
  readonly table: string;
  readonly rows: number;
  /** Rows that a restore would find as the batch left them. */
  readonly left: number;
  /** Rows that were removed for good. */
  readonly gone: number;
}

/** Looks at each row of the batches, in one statement. */
export async function leftOf(
  run: Run,
  batches: readonly BatchId[],
  tables: readonly GraphTable[],
): Promise<LeftRows[]> {
  if (batches.length === 0 || tables.length === 0) return [];
  const { sql, params } = statement(tables.map(leftStatement).join(' union all '), {
    batches: JSON.stringify(batches),
  });
  return run<LeftRows>(sql, params);
}

/** The mark is compared with the clock of the batch, which stands in both. */
function leftStatement(table: GraphTable): string {
  const mark = `t.${escapeIdentifier(table.deletedAt ?? '')}`;
  const isGone = `t.${escapeIdentifier(table.primaryKey[0]?.name ?? '')} is null`;
  return `select e.id as batch, ${escapeLiteral(table.name)} as table, count(*)::int as rows,
      count(*) filter (where ${mark} = ${asMark(table, 'e.deleted_at')})::int as left, count(*) filter (where ${isGone})::int as gone
    from (
      select distinct b.id, b.deleted_at, r.key from deletion_batches b join deletion_rows r on r.batch_id = b.id
      where b.id in (select value::uuid from json_array_elements_text($batches::json))
        and r.kind = 'fell' and r.table_name = ${escapeLiteral(table.name)}
    ) e left join ${table.sql} t on ${hasKey(table, 't', 'e.key')}
    /* soft-delete: dead rows too, because it tells what has become of them */
    group by e.id`;
}
