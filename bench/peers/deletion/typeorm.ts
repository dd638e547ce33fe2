import type { DataSource } from 'typeorm';
import type { Library } from '../../comparison/library.ts';
import { deletionWays, type Fallen, inBatches } from '../../comparison/trees/deletions.ts';
import { PURGE_PROJECTS, PURGE_TASKS } from '../../comparison/trees/tree-statements.ts';
import { Projects, Tasks } from '../typeorm-entities.ts';

/**
 * By the query builder, which knows of marks and of no relation. Of few rows `softRemove` follows the cascades of entities that
 * are loaded; `recover` would lift what was dead before as well, and there is no purge: its DELETE has no LIMIT.
 */
export function deletionsOf(source: DataSource): Library['ways'] {
  const projects = source.getRepository(Projects);
  return {
    ...deletionWays({
      cascade: (owner) => cascade(source, owner),
      restore: (fallen) => restore(source, fallen),
      purge: async ({ days, batch }) => {
        for (const text of [PURGE_TASKS, PURGE_PROJECTS])
          await inBatches(batch, async () => {
            const [, count] = (await source.query(text, [days, batch])) as [unknown, number];
            return count;
          });
      },
    }),
    'cascade-small': async (ownerId) =>
      projects.softRemove(await projects.find({ where: { ownerId }, relations: { tasks: true } })),
  };
}

export const cascade = (source: DataSource, owner: string): Promise<void> =>
  source.transaction(async (manager) => {
    const ofOwner = 'select id from projects where owner_id = :owner and deleted_at is null';
    await manager
      .createQueryBuilder()
      .softDelete()
      .from(Tasks)
      .where(`project_id in (${ofOwner}) and deleted_at is null`, { owner })
      .execute();
    await manager
      .createQueryBuilder()
      .softDelete()
      .from(Projects)
      .where('owner_id = :owner and deleted_at is null', { owner })
      .execute();
  });

const restore = (source: DataSource, { owner, deletedAt }: Fallen): Promise<void> =>
  source.transaction(async (manager) => {
    const ofOwner = 'select id from projects where owner_id = :owner and deleted_at = :deletedAt';
    const fallen = { owner, deletedAt };
    await manager
      .createQueryBuilder()
      .restore()
      .from(Tasks)
      .where(`project_id in (${ofOwner}) and deleted_at = :deletedAt`, fallen)
      .execute();
    await manager
      .createQueryBuilder()
      .restore()
      .from(Projects)
      .where('owner_id = :owner and deleted_at = :deletedAt', fallen)
      .execute();
  });
