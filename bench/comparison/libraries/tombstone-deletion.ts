import { batchId, deleteRows, purge, restore } from 'tombstone/deletion';
import type { DataEntityManager } from 'tombstone';
import type { Library } from '../library.ts';
import { deletionWays } from '../trees/deletions.ts';
import { Project, Task } from '../trees/tree-module.ts';

/** Deletion by policies: the tasks fall by the foreign key, and the journal knows what fell together and forgets what was purged. */
export const deletionsOf = (em: DataEntityManager): Library['ways'] =>
  deletionWays({
    cascade: (ownerId) => deleteRows(em, Project, { ownerId }),
    restore: ({ batch }) => restore(em, batchId(batch)),
    purge: ({ days, batch }) =>
      purge(em, { entities: [Project, Task], olderThan: `${days} days`, batchSize: batch }),
  });
