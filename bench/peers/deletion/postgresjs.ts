import type { Sql } from 'postgres';
import type { Library } from '../../comparison/library.ts';
import { deletionWays, inBatches } from '../../comparison/trees/deletions.ts';
import {
  DELETE_PROJECTS_OF_OWNER,
  DELETE_TASKS_OF_OWNER,
  PURGE_PROJECTS,
  PURGE_TASKS,
  RESTORE_PROJECTS_OF_OWNER,
  RESTORE_TASKS_OF_OWNER,
} from '../../comparison/trees/tree-statements.ts';

const PREPARE = { prepare: true };

/** The statements of the floor; those of a transaction are sent at once. */
export const deletionsOf = (sql: Sql<{ bigint: string }>): Library['ways'] =>
  deletionWays({
    cascade: (owner) =>
      sql.begin((tx) => [
        tx.unsafe(DELETE_TASKS_OF_OWNER, [owner], PREPARE),
        tx.unsafe(DELETE_PROJECTS_OF_OWNER, [owner], PREPARE),
      ]),
    restore: ({ owner, deletedAt }) =>
      sql.begin((tx) => [
        tx.unsafe(RESTORE_TASKS_OF_OWNER, [owner, deletedAt], PREPARE),
        tx.unsafe(RESTORE_PROJECTS_OF_OWNER, [owner, deletedAt], PREPARE),
      ]),
    purge: async ({ days, batch }) => {
      for (const text of [PURGE_TASKS, PURGE_PROJECTS])
        await inBatches(batch, async () => (await sql.unsafe(text, [days, batch], PREPARE)).count);
    },
  });
