import { escapeIdentifier, escapeLiteral } from 'pg';
import type { GraphTable } from '../graph.ts';
import { hasKey } from '../key-sql.ts';
import { asMark } from '../mark-sql.ts';
import { DEAD_ROWS } from './stuck-sql.ts';

/**
 * Takes the entries of batches of which no row is left as the batch left it, and marks these as purged: so a restore of one goes on to
 * answer that its rows are gone. As long as one row is left the entries stay whole; without the others a restore would take the rest
 * for all. A batch of a table that no entity has any more stays, because nothing tells what has become of its rows.
 */
export function pruneSql(tables: readonly GraphTable[], isFirst: boolean): string {
  const left = tables
    .filter(({ primaryKey }) => primaryKey.length > 0)
    .map(
      (
        table,
      ) => `when ${escapeLiteral(table.name)} then exists (select from unnest(e.keys) k (key) join ${table.sql} t
        on ${hasKey(table, 't', 'k.key')} where t.${escapeIdentifier(table.deletedAt ?? '')} = ${asMark(table, 'b.deleted_at')} ${DEAD_ROWS})`,
    );
  const after = isFirst ? '' : 'and (b.deleted_at, b.id) > ($deleted::text::timestamptz, $id::text::uuid)';
  return `with seen as materialized (
      select b.id, b.deleted_at from deletion_batches b
      where b.restored_at is null and b.purged_at is null and b.deleted_at <= now() - $age::text::interval ${after}
      order by b.deleted_at, b.id limit $size for update skip locked
    ), empty as materialized (
      select b.id from seen b where not exists (select from deletion_entries e where e.batch_id = b.id and e.kind = 'fell'
        and case e.table_name ${left.join(' ')} else true end)
    ), marked as (update deletion_batches b set purged_at = now() from empty m where b.id = m.id returning 1),
    pruned as (delete from deletion_entries e using empty m where e.batch_id = m.id)
    select (select count(*)::int from marked) as pruned, s.id, s.deleted_at::text as "deletedAt"
    from seen s order by s.deleted_at desc, s.id desc limit 1`;
}

/** Takes what says nothing any more: batches that were purged or restored long ago. */
export const FORGET = `with old as (
    select b.id from deletion_batches b
    where coalesce(b.purged_at, b.restored_at) <= now() - $keep::text::interval order by b.id limit $size for update skip locked
  ), pruned as (delete from deletion_entries e using old o where e.batch_id = o.id),
  forgotten as (delete from deletion_batches b using old o where b.id = o.id returning 1)
  select count(*)::int as rows from forgotten`;
