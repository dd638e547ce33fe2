import type { Knex } from 'knex';
import { raw } from 'objection';
import type { Library } from '../../comparison/library.ts';
import { deletionWays, inBatches } from '../../comparison/trees/deletions.ts';
import { Project, Task } from '../objection-models.ts';

/** What the plugin adds to a query. */
interface Marking extends PromiseLike<number> {
  undelete(): Marking;
  hardDelete(): Marking;
}

/** The plugin marks and lifts the rows of one table: a query for each level. */
export const deletionsOf = (knex: Knex): Library['ways'] =>
  deletionWays({
    cascade: (owner) =>
      knex.transaction(async (tx) => {
        const live = Project.query(tx).modify('notDeleted').where('owner_id', owner);
        await Task.query(tx).modify('notDeleted').whereIn('project_id', live.clone().select('id')).delete();
        await live.delete();
      }),
    restore: ({ owner, deletedAt }) =>
      knex.transaction(async (tx) => {
        const mark = raw('?::timestamptz', [deletedAt]);
        const fallen = Project.query(tx).where('owner_id', owner).where('deleted_at', mark);
        const tasks = Task.query(tx)
          .whereIn('project_id', fallen.clone().select('id'))
          .where('deleted_at', mark);
        await (tasks as unknown as Marking).undelete();
        await (fallen as unknown as Marking).undelete();
      }),
    purge: async ({ days, batch }) => {
      const isOld = raw('deleted_at < now() - make_interval(days => ?)', [days]);
      const isEmpty = raw('not exists (select from tasks t where t.project_id = projects.id)');
      const old = (model: typeof Project) =>
        model.query(knex).select('id').where(isOld).orderBy('deleted_at').limit(batch);
      const remove = (model: typeof Project, ids: ReturnType<typeof old>) =>
        (model.query(knex).whereIn('id', ids) as unknown as Marking).hardDelete();
      await inBatches(batch, () => remove(Task, old(Task)));
      await inBatches(batch, () => remove(Project, old(Project).where(isEmpty)));
    },
  });
