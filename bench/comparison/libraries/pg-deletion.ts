import type { Pool } from 'pg';
import type { Library } from '../library.ts';
import { deletionWays, inBatches } from '../trees/deletions.ts';
import {
  DELETE_PROJECTS_OF_OWNER,
  DELETE_TASKS_OF_OWNER,
  PURGE_PROJECTS,
  PURGE_TASKS,
  RESTORE_PROJECTS_OF_OWNER,
  RESTORE_TASKS_OF_OWNER,
} from '../trees/tree-statements.ts';

type Statement = readonly [name: string, text: string, values: readonly unknown[]];

/** The floor of deletions: the bare statements in one transaction, and for a purge each in one of its own. */
export function deletionsOf(pool: Pool): Library['ways'] {
  const inTransaction = async (...statements: readonly Statement[]): Promise<void> => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      for (const [name, text, values] of statements) await client.query({ name, text, values: [...values] });
      await client.query('commit');
    } finally {
      client.release();
    }
  };
  return deletionWays({
    cascade: (owner) =>
      inTransaction(
        ['delete_tasks', DELETE_TASKS_OF_OWNER, [owner]],
        ['delete_projects', DELETE_PROJECTS_OF_OWNER, [owner]],
      ),
    restore: ({ owner, deletedAt }) =>
      inTransaction(
        ['restore_tasks', RESTORE_TASKS_OF_OWNER, [owner, deletedAt]],
        ['restore_projects', RESTORE_PROJECTS_OF_OWNER, [owner, deletedAt]],
      ),
    purge: async ({ days, batch }) => {
      for (const [name, text] of [
        ['purge_tasks', PURGE_TASKS],
        ['purge_projects', PURGE_PROJECTS],
      ] as const)
        await inBatches(batch, async () => {
          const { rowCount } = await pool.query({ name, text, values: [days, batch] });
          return rowCount ?? 0;
        });
    },
  });
}
