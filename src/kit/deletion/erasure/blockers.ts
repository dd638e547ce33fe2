import { escapeLiteral } from 'pg';
import type { Run } from '../catalogue.ts';
import { type DeletionGraph, edgesInto, type GraphEdge } from '../graph.ts';
import { keyText } from '../key-sql.ts';
import type { Blocker } from '../restricted-error.ts';
import { statement } from '../statement.ts';
import { type DoomedRows, edgeJoin, keysIn } from './doomed-rows.ts';

/** Whether a row that refers loses the reference when its target is removed: by its policy, or by the database itself. */
export const losesReference = ({ policy, onDelete }: GraphEdge): boolean =>
  policy === 'unlink' || (policy === 'keep' && onDelete === 'n');

/** The rows, live or dead, that refer to doomed ones, are not doomed themselves, and do not just lose the reference. */
export async function blockersOf(run: Run, graph: DeletionGraph, doomed: DoomedRows): Promise<Blocker[]> {
  const edges = edgesInto(graph, new Set(doomed.keys()), 'cascade', 'restrict', 'keep').filter(
    (edge) => !losesReference(edge),
  );
  const blockers: Blocker[] = [];
  for (const edge of edges) {
    const { child, constraint, parent } = edge;
    const { sql, params } = statement(
      `select ${escapeLiteral(constraint)} as constraint, ${escapeLiteral(child.name)} as table,
        count(*)::int as rows, (array_agg(key order by key))[1:10] as keys from (
          select ${keyText(child, 't')} as key from ${edgeJoin(edge, keysIn('$parents'))}
            and ${keyText(child, 't')} not in (select jsonb_array_elements_text($others::jsonb))
        ) b having count(*) > 0
        /* soft-delete: dead rows too, because their references hold as well */`,
      {
        parents: JSON.stringify([...(doomed.get(parent) ?? [])]),
        others: JSON.stringify([...(doomed.get(child) ?? [])]),
      },
    );
    blockers.push(...(await run<Blocker>(sql, params)));
  }
  return blockers;
}
