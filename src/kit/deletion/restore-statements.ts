import { escapeIdentifier, escapeLiteral } from 'pg';
import type { GraphEdge, GraphTable } from './graph.ts';
import { hasKey } from './key-sql.ts';
import {
  canReinsert,
  canRelink,
  isAsLeft,
  oldValue,
  outsideParents,
  REMOVED,
  UNLINKED,
} from './preview-statements.ts';

const counts = (names: readonly string[]): string =>
  names
    .map((name, index) => `select ${escapeLiteral(name)} as name, count(*)::int as rows from done${index}`)
    .join(' union all ');

/** What {@link liftStatement} calls the parents that are dead; no table has such a name. */
export const DEAD = '';

/**
 * Lifts the marks of all tables in one statement, so that no foreign key sees a moment between two of them, and notes it in the
 * batch. By `needs` it also locks the parents of what it lifts and counts the dead ones, which costs less than to look for them
 * before. That they are locked last does no harm: whoever deletes one meanwhile does not see its children live, and is seen here.
 */
export function liftStatement(tables: readonly GraphTable[], needs: readonly GraphEdge[] = []): string {
  const steps = tables.map((table, index) => {
    const own = needs.filter(({ child }) => child === table).flatMap(({ columns }) => columns);
    const columns = [...new Set(own.map(({ name }) => `t.${escapeIdentifier(name)}`))];
    return `done${index} as (
      update ${table.sql} t set ${[`${escapeIdentifier(table.deletedAt ?? '')} = null`, ...table.touch].join(', ')}
      from deletion_rows e
      where e.batch_id = $batch and e.kind = 'fell' and e.table_name = ${escapeLiteral(table.name)}
        and ${hasKey(table, 't', 'e.key')} and ${isAsLeft(table, 't')}
      returning ${columns.length === 0 ? '1' : columns.join(', ')})`;
  });
  const parents = needs.map(
    (edge, index) =>
      `outside${index} as materialized (${outsideParents(edge, `done${tables.indexOf(edge.child)}`, true)})`,
  );
  const dead = needs.map(
    (_, index) =>
      `select ${escapeLiteral(DEAD)} as name, count(*)::int as rows from outside${index} where mark is not null`,
  );
  const lifted = tables.length === 0 ? [] : [counts(tables.map(({ name }) => name))];
  const all = [...lifted, ...dead];
  return `with ${[...steps, ...parents, RESTORED].join(', ')}
    ${all.length === 0 ? 'select where false' : all.join(' union all ')}`;
}

const RESTORED = `restored as (
      update deletion_batches set restored_at = now(), restored_by = $actor, restore_reason = $reason where id = $batch)`;

/** Gives unlinked rows their links again; no two of the edges may have the same table. */
export function relinkStatement(edges: readonly GraphEdge[]): string {
  const steps = edges.map((edge, index) => {
    const set = edge.emptied.map((column) => `${escapeIdentifier(column.name)} = ${oldValue(column)}`);
    return `done${index} as (
      update ${edge.child.sql} t set ${[...set, ...edge.child.touch].join(', ')} from deletion_rows e
      where ${UNLINKED(edge)} and ${canRelink(edge)}
      /* soft-delete: dead rows too, because a link that was taken away comes back to whatever had it */
      returning 1)`;
  });
  return `with ${steps.join(', ')} ${counts(edges.map(({ constraint }) => constraint))}`;
}

/** Inserts removed rows again, with the keys that they had. */
export function reinsertStatement(table: GraphTable): string {
  const columns = table.columns
    .filter(({ generated }) => !generated)
    .map(({ name }) => escapeIdentifier(name));
  return `with done0 as (
      insert into ${table.sql} (${columns.join(', ')}) overriding system value
      select ${columns.map((name) => `r.${name}`).join(', ')}
      from deletion_rows e, lateral jsonb_populate_record(null::${table.sql}, e.detail) r
      where ${REMOVED(table)} and ${canReinsert(table)}
      on conflict do nothing returning 1)
    ${counts([table.name])}`;
}
