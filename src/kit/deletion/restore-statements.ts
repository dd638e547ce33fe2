import { escapeIdentifier, escapeLiteral } from 'pg';
import type { GraphEdge, GraphTable } from './graph.ts';
import { hasKey } from './key-sql.ts';
import { canReinsert, canRelink, isAsLeft, REMOVED, UNLINKED } from './preview-statements.ts';

const counts = (names: readonly string[]): string =>
  names
    .map((name, index) => `select ${escapeLiteral(name)} as name, count(*)::int as rows from done${index}`)
    .join(' union all ');

/** Lifts the marks of all tables in one statement, so that no foreign key sees a moment between two of them. */
export function liftStatement(tables: readonly GraphTable[]): string {
  const steps = tables.map(
    (table, index) => `done${index} as (
      update ${table.sql} t set ${[`${escapeIdentifier(table.deletedAt ?? '')} = null`, ...table.touch].join(', ')}
      from deletion_rows e
      where e.batch_id = $batch and e.kind = 'fell' and e.table_name = ${escapeLiteral(table.name)}
        and ${hasKey(table, 't', 'e.key')} and ${isAsLeft(table, 't')}
      returning 1)`,
  );
  return `with ${steps.join(', ')} ${counts(tables.map(({ name }) => name))}`;
}

/** Gives unlinked rows their links again; no two of the edges may have the same table. */
export function relinkStatement(edges: readonly GraphEdge[]): string {
  const steps = edges.map((edge, index) => {
    const set = edge.emptied.map(
      ({ name, type }) => `${escapeIdentifier(name)} = (e.detail ->> ${escapeLiteral(name)})::${type}`,
    );
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
