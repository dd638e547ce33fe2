import { GIVEN, notedSql } from './noted-sql.ts';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { GraphEdge } from './graph.ts';
import { isLiveRow, keyText, parentRow, refersTo } from './key-sql.ts';

/** The rows that have fallen by this call; a batch may have had others before. */
const FALLEN = `e.batch_id = $batch and e.step between $first and $last and e.kind = 'fell'`;

const fallenParent = (edge: GraphEdge): string =>
  `${FALLEN} and e.table_name = ${escapeLiteral(edge.parent.name)} and ${refersTo(edge, 't', 'e.key')}`;

/** The live rows that forbid what has fallen; those that fell along are not live any more. */
export function blockersStatement(edges: readonly GraphEdge[]): string {
  return edges
    .map(
      (
        edge,
      ) => `select ${escapeLiteral(edge.constraint)} as constraint, ${escapeLiteral(edge.child.name)} as table,
        count(*)::int as rows, (array_agg(key order by key))[1:10] as keys from (
          select ${keyText(edge.child, 't')} as key from ${edge.child.sql} t, deletion_rows e ${parentRow(edge, 'e.key')}
          where ${fallenParent(edge)} and ${isLiveRow(edge.child, 't')}) blocked having count(*) > 0`,
    )
    .join(' union all ');
}

/**
 * Unlinks and removes what refers to the fallen rows and did not fall. No two of the edges may have the same table, since one
 * statement changes a row once.
 */
export function aftermathStatement(edges: readonly GraphEdge[]): string {
  const steps = edges.map(
    (edge, index) => `done${index} as (${edge.policy === 'unlink' ? unlink(edge) : remove(edge)})`,
  );
  const noted = edges.flatMap((edge, index) =>
    edge.policy === 'remove'
      ? []
      : [
          `select ${edge.policy === 'unlink' ? `'unlinked'` : `'removed'`} as kind, ${escapeLiteral(edge.child.name)} as table_name,
            key, ${escapeLiteral(edge.constraint)} as edge, cause, detail from done${index}`,
        ],
  );
  const journal = noted.length === 0 ? '' : `, ${notedSql(noted.join(' union all '))}`;
  const counts = edges.map(
    ({ constraint, policy }, index) =>
      `select ${escapeLiteral(constraint)} as name, ${policy === 'unlink'} as unlinks, count(*)::int as rows from done${index}`,
  );
  return `with ${GIVEN}, ${steps.join(', ')}${journal} ${counts.join(' union all ')}`;
}

/** RETURNING shows the row as it is now; what stood in it before is what it was found by. */
function unlink(edge: GraphEdge): string {
  const { child, emptied } = edge;
  const columns = new Set([...child.primaryKey, ...edge.columns, ...emptied].map(({ name }) => name));
  const set = [...emptied.map(({ name }) => `${escapeIdentifier(name)} = null`), ...child.touch].join(', ');
  return `update ${child.sql} t set ${set}
    from (
      select ${[...columns].map((name) => `t.${escapeIdentifier(name)}`).join(', ')}, e.key as tombstone_cause from ${child.sql} t, deletion_rows e ${parentRow(edge, 'e.key')}
      where ${fallenParent(edge)} and ${isLiveRow(child, 't')}
    ) o
    where ${child.primaryKey.map(({ name }) => `t.${escapeIdentifier(name)} = o.${escapeIdentifier(name)}`).join(' and ')}
      and ${edge.columns.map(({ name }) => `t.${escapeIdentifier(name)} = o.${escapeIdentifier(name)}`).join(' and ')}
      and ${isLiveRow(child, 't')}
    returning ${keyText(child, 't')} as key, o.tombstone_cause as cause,
      jsonb_build_object(${emptied.map(({ name }) => `${escapeLiteral(name)}, o.${escapeIdentifier(name)}`).join(', ')}) as detail`;
}

function remove(edge: GraphEdge): string {
  return `delete from ${edge.child.sql} t using deletion_rows e ${parentRow(edge, 'e.key')} where ${fallenParent(edge)}
    returning ${keyText(edge.child, 't')} as key, e.key as cause, to_jsonb(t) as detail`;
}

/** Groups edges so that no group has a table twice. */
export function inRounds(edges: readonly GraphEdge[]): GraphEdge[][] {
  const rounds: GraphEdge[][] = [];
  for (const edge of edges) {
    const free = rounds.find((round) => round.every(({ child }) => child !== edge.child));
    if (free) free.push(edge);
    else rounds.push([edge]);
  }
  return rounds;
}
