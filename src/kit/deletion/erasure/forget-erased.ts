import { helper } from '@mikro-orm/core';
import type { DataEntityManager } from '../../orm/index.ts';
import { loadedOf } from '../forget-fallen.ts';
import { graphOf, runOf } from '../graph-of.ts';
import type { DoomedRows } from './doomed-rows.ts';

/** Takes the loaded entities of erased rows out of the identity map: they hold what is no more, and a flush would write it again. */
export async function forgetErased(em: DataEntityManager, erased: DoomedRows): Promise<void> {
  const graph = await graphOf(em.getDriver(), runOf(em.fork({ keepTransactionContext: true })), em.schema);
  // What refers to an entity that leaves gets a reference to its key in its place, and may have to leave itself.
  for (let pass = 0; pass < 2; pass += 1) {
    for (const [table, entities] of loadedOf(em, graph, new Set(erased.keys()))) {
      for (const [key, entity] of entities) {
        if (erased.get(table)?.has(key) && helper(entity).__managed) em.getUnitOfWork().unsetIdentity(entity);
      }
    }
  }
}
