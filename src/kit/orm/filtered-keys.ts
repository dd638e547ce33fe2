import { type EntityMetadata, Utils } from '@mikro-orm/core';
import type { DataEntityManager } from './data-entity-manager.ts';

/**
 * What the filters of the program say of the rows of an update, as conditions on the alias `t`: that the key is among those which
 * they let through. None where no filter applies, which is soon known.
 */
export async function filteredKeys(em: DataEntityManager, meta: EntityMetadata): Promise<string[]> {
  if (!em.getDriver().isFiltered()) return [];
  const where = await em.applyFilters(meta.class, {}, {}, 'update');
  if (!Utils.hasObjectKeys((where ?? {}) as object)) return [];
  const quote = (name: string): string => em.getPlatform().quoteIdentifier(name);
  const keys = meta.getPrimaryProps().map((prop) => `"t".${quote(prop.fieldNames[0] ?? '')}`);
  const shown = em
    .createQueryBuilder(meta.class, 'f')
    .select(meta.primaryKeys as never)
    .where(where as never);
  return [`(${keys.join(', ')}) in (${shown.getFormattedQuery()})`];
}
