import { type EntityMetadata, type EntityProperty, helper } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';
import type { DataEntityManager } from '../orm/index.ts';
import type { Run } from './catalogue.ts';
import { type DeletionGraph, type GraphTable, reachOf } from './graph.ts';
import { hasKey } from './key-sql.ts';

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
  const asked = [...loaded].map(([table, entities]) => ({ table, entities: [...entities] }));
  const text = asked
    .map(
      ({ table }, place) => `select ${place} as place, k.number::int as number
        from json_array_elements_text(?::json) with ordinality as k (key, number) join ${table.sql} t on ${hasKey(table, 't', 'k.key')}
        where t.${escapeIdentifier(table.deletedAt ?? '')} is not null`,
    )
    .join(' union all ');
  const dead = await run<{ place: number; number: number }>(
    text,
    asked.map(({ entities }) => JSON.stringify(entities.map(([key]) => key))),
  );
  for (const { place, number } of dead) {
    const entity = asked[place]?.entities[number - 1]?.[1];
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
    const key = keyInJournal(meta, helper(entity as object).getPrimaryKeys() as unknown[]);
    found.set(table, (found.get(table) ?? new Map<string, object>()).set(key, entity as object));
  }
  return found;
}

/** A key in memory as a text that the database reads as the key of the row, in the form of `keyText`. */
export function keyInJournal(meta: EntityMetadata, key: readonly unknown[]): string {
  const props = meta.getPrimaryProps();
  const values = key.flat(Infinity);
  const parts = values.map((value, index) =>
    textOf(values.length === props.length ? stored(props[index] as EntityProperty, value) : value),
  );
  // As `jsonb` prints an array.
  return parts.length === 1
    ? (parts[0] as string)
    : `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`;
}

/** A type of the program may have another value in memory than in the database. */
function stored({ customType }: EntityProperty, value: unknown): unknown {
  return customType?.platform ? customType.convertToDatabaseValue(value, customType.platform) : value;
}

function textOf(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
}
