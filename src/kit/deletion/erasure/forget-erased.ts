import { helper } from '@mikro-orm/core';
import type { DataEntityManager } from '../../orm/index.ts';
import { loadedOf } from '../forget-fallen.ts';
import { graphOf, runOf } from '../graph-of.ts';
import type { DoomedRows } from './doomed-rows.ts';

/** Takes the loaded entities of erased rows out of the identity map: they hold what is no more, and a flush would write it again. */
export async function forgetErased(em: DataEntityManager, erased: DoomedRows): Promise<void> {
  const graph = await graphOf(em.getDriver(), runOf(em.fork({ keepTransactionContext: true })));
  for (const [table, entities] of loadedOf(em, graph, new Set(erased.keys()))) {
    for (const [key, entity] of entities) {
      if (erased.get(table)?.has(key) && helper(entity).__managed) em.getUnitOfWork().unsetIdentity(entity);
    }
  }
}
