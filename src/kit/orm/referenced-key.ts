import type { EntityProperty } from '@mikro-orm/core';

/**
 * Whether the owner of a relation names its target by the whole primary key. A mapping may name other columns of it, or some of
 * the key's, and then a join finds as many rows as there are.
 */
export function referencesKey({ targetMeta, referencedColumnNames }: EntityProperty): boolean {
  const columns = targetMeta?.getPrimaryProps().flatMap(({ fieldNames }) => fieldNames) ?? [];
  return columns.length > 0 && columns.every((column) => referencedColumnNames.includes(column));
}
