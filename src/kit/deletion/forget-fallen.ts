import { type EntityMetadata, helper } from '@mikro-orm/core';
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { DataEntityManager } from '../orm/index.ts';
import type { Run } from './catalogue.ts';
import { type DeletionGraph, type GraphTable, reachOf } from './graph.ts';
import { hasKey, keyText } from './key-sql.ts';

/**
 * Takes the loaded entities of rows that have fallen out of the identity map, where they would be found by key. It asks the
 * database about what is loaded and about nothing else: a deletion of many rows brings none of them here.
 */
export async function forgetFallen(
  em: DataEntityManager,
  graph: DeletionGraph,
  root: GraphTable,
  run: Run,
): Promise<void> {
  const loaded = loadedOf(em, graph, new Set(reachOf(graph, root).keys()));
  if (loaded.size === 0) return;
  const asked = [...loaded].map(([table, entities]) => ({ table, keys: [...entities.keys()] }));
  const text = asked
    .map(
      ({ table }) => `select ${escapeLiteral(table.name)} as name, ${keyText(table, 't')} as key
        from json_array_elements_text(?::json) as k (key) join ${table.sql} t on ${hasKey(table, 't', 'k.key')}
        where t.${escapeIdentifier(table.deletedAt ?? '')} is not null`,
    )
    .join(' union all ');
  const dead = await run<{ name: string; key: string }>(
    text,
    asked.map(({ keys }) => JSON.stringify(keys)),
  );
  for (const { name, key } of dead) {
    const table = graph.tableNamed(name);
    const entity = table && loaded.get(table)?.get(key);
    if (entity && helper(entity).__managed) em.getUnitOfWork().unsetIdentity(entity);
  }
}

/** The loaded entities of the tables, by their keys in the form of the journal. */
export function loadedOf(
  em: DataEntityManager,
  graph: DeletionGraph,
  tables: ReadonlySet<GraphTable>,
): Map<GraphTable, Map<string, object>> {
  const found = new Map<GraphTable, Map<string, object>>();
  for (const entity of em.getUnitOfWork(false).getIdentityMap()) {
    const meta = helper(entity as object).__meta as EntityMetadata;
    const table = graph.tableOf(meta);
    if (!table || !tables.has(table) || !helper(entity as object).hasPrimaryKey()) continue;
    const key = keyInJournal(helper(entity as object).getPrimaryKeys() as unknown[]);
    found.set(table, (found.get(table) ?? new Map<string, object>()).set(key, entity as object));
  }
  return found;
}

/** The form of `keyText`, for a key in memory. */
export function keyInJournal(key: readonly unknown[]): string {
  const parts = key.flat(Infinity).map((part) => String(part));
  // As `jsonb` prints an array.
  return parts.length === 1
    ? (parts[0] as string)
    : `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`;
}
