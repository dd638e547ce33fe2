import { escapeLiteral } from 'pg';
import type { Run } from '../catalogue.ts';
import type { DeletionGraph } from '../graph.ts';
import { isHeld } from '../holds/held-sql.ts';
import { hasKey, keyText } from '../key-sql.ts';
import { statement } from '../statement.ts';
import { type DoomedRows, keysIn } from './doomed-rows.ts';
import { ErasureError, type Held } from './erasure-error.ts';

/**
 * Nobody can place a hold any more when this asks: see `lockHolds`.
 *
 * @throws ErasureError when one of the rows is held, or part of a row that is.
 */
export async function refuseHeld(
  run: Run,
  graph: DeletionGraph,
  rows: DoomedRows,
  entity: string,
): Promise<void> {
  const parts = graph.edges.filter(({ policy }) => policy === 'cascade');
  const held: Held[] = [];
  for (const [table, keys] of rows) {
    const { sql, params } = statement(
      `select ${escapeLiteral(table.name)} as table, count(*)::int as rows, (array_agg(key order by key))[1:10] as keys from (
          select ${keyText(table, 't')} as key from ${keysIn('$keys')} join ${table.sql} t on ${hasKey(table, 't', 'k.key')}
          where ${isHeld(parts, table, 't')}
        ) h having count(*) > 0
        /* soft-delete: dead rows too, because they are held as live ones are */`,
      { keys: JSON.stringify([...keys]) },
    );
    held.push(...(await run<Held>(sql, params)));
  }
  if (held.length > 0) throw ErasureError.held(entity, held);
}
