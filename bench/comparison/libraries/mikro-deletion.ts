import { raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import type { Library } from '../library.ts';
import { deletionWays, type Fallen, inBatches } from '../trees/deletions.ts';
import { Project, Task } from './mikro-entities.ts';

/** MikroORM has neither cascades of marks nor a restore nor a purge: statements by its entity manager, one for each level. */
export function deletionsOf(fork: () => SqlEntityManager): Library['ways'] {
  return deletionWays({
    cascade: (owner) =>
      fork().transactional(async (em) => {
        const changed = { deletedAt: new Date() };
        const project = { ownerId: owner, deletedAt: null };
        await em.nativeUpdate(Task, { project, deletedAt: null }, changed);
        await em.nativeUpdate(Project, project, changed);
      }),
    restore: (fallen) => restore(fork(), fallen),
    purge: async ({ days, batch }) => {
      const before = new Date(Date.now() - days * 24 * 60 * 60 * 1000);
      const old = { deletedAt: { $lt: before } };
      const options = {
        fields: ['id'],
        orderBy: { deletedAt: 'asc' },
        limit: batch,
        filters: false,
      } as const;
      await inBatches(batch, async () => {
        const em = fork();
        const tasks = await em.find(Task, old, { ...options, disableIdentityMap: true });
        return em.nativeDelete(Task, { id: { $in: tasks.map(({ id }) => id) } }, { filters: false });
      });
      await inBatches(batch, async () => {
        const em = fork();
        const where = { ...old, tasks: { $none: {} } };
        const projects = await em.find(Project, where, { ...options, disableIdentityMap: true });
        return em.nativeDelete(Project, { id: { $in: projects.map(({ id }) => id) } }, { filters: false });
      });
    },
  });
}

async function restore(root: SqlEntityManager, { owner, deletedAt }: Fallen): Promise<void> {
  // A Date would lose the microseconds of the mark.
  const mark = { deletedAt: raw('?::timestamptz', [deletedAt]) } as object;
  await root.transactional(async (em) => {
    const options = { filters: false } as const;
    await em.nativeUpdate(
      Task,
      { ...mark, project: { ownerId: owner, ...mark } },
      { deletedAt: null },
      options,
    );
    await em.nativeUpdate(Project, { ownerId: owner, ...mark }, { deletedAt: null }, options);
  });
}
