import { literal, Op, type Sequelize, type Transaction } from 'sequelize';
import type { Library } from '../../comparison/library.ts';
import { deletionWays, inBatches } from '../../comparison/trees/deletions.ts';
import type { Models } from '../sequelize-models.ts';

/** A paranoid `destroy` runs no cascade, nor its hooks: `destroy` and `restore` with a condition for each level. */
export function deletionsOf(sequelize: Sequelize, { Project, Task }: Models): Library['ways'] {
  const select = (condition: string) => ({
    [Op.in]: literal(`(select id from projects where ${condition})`),
  });
  const inTransaction = (work: (transaction: Transaction) => Promise<void>) => sequelize.transaction(work);
  return deletionWays({
    cascade: (ownerId) =>
      inTransaction(async (transaction) => {
        const projectId = select(`owner_id = ${sequelize.escape(ownerId)} and deleted_at is null`);
        await Task.destroy({ where: { projectId }, transaction });
        await Project.destroy({ where: { ownerId }, transaction });
      }),
    restore: ({ owner, deletedAt: text }) =>
      inTransaction(async (transaction) => {
        // A Date would lose the microseconds of the mark.
        const mark = `${sequelize.escape(text)}::timestamptz`;
        const deletedAt = { [Op.eq]: literal(mark) };
        const projectId = select(`owner_id = ${sequelize.escape(owner)} and deleted_at = ${mark}`);
        await Task.restore({ where: { projectId, deletedAt }, transaction });
        await Project.restore({ where: { ownerId: owner, deletedAt }, transaction });
      }),
    purge: async ({ days, batch }) => {
      const old = (alias: string) => `${alias}.deleted_at < now() - make_interval(days => ${Number(days)})`;
      const limit = `limit ${Number(batch)}`;
      await inBatches(batch, () => {
        const ids = `(select t.id from tasks t where ${old('t')} order by t.deleted_at ${limit})`;
        return Task.destroy({ where: { id: { [Op.in]: literal(ids) } }, force: true });
      });
      await inBatches(batch, () => {
        const isEmpty = 'not exists (select from tasks t where t.project_id = p.id)';
        const ids = `(select p.id from projects p where ${old('p')} and ${isEmpty} order by p.deleted_at ${limit})`;
        return Project.destroy({ where: { id: { [Op.in]: literal(ids) } }, force: true });
      });
    },
  });
}
