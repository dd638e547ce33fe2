import { type EntityMetadata, type FilterQuery, helper, type Primary, raw } from '@mikro-orm/core';
import { SqlEntityRepository } from '@mikro-orm/postgresql';
import { DELETED_AT, type Trashed } from '../soft-delete/index.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { instantsSetOnUpdate } from './live-predicate.ts';
import { markByPlan } from './planned-marks.ts';
import { ownDeletionOf } from './own-deletion.ts';
import type { ExactChange, RowChange, UpdateManyOptions } from './row-change.ts';
import { updateMany } from './update-many.ts';

/**
 * The repository of every entity that names none of its own: MikroORM's, with deletion and restoring by key. Each is one
 * statement, needs no managed entity, and answers whether it changed a row.
 */
export class DataRepository<Entity extends object> extends SqlEntityRepository<Entity> {
  /** Marks the row as deleted by the database's clock. A second call, or an unknown key, changes nothing and answers false. */
  async softDelete(key: Primary<Entity>): Promise<boolean> {
    const em = this.getEntityManager() as unknown as DataEntityManager;
    const marked = await markByPlan(em, this.#meta(), key);
    return (marked ?? (await em.nativeDelete(this.entityName, this.#byKey(key)))) > 0;
  }

  /**
   * Lifts the mark of a row that `onlyDeleted` or `withDeleted` has shown. Answers false when it is live or gone by now;
   * the entity stays as it was read.
   *
   * @throws ConflictError when a live row has taken the same unique value since.
   */
  async restore(row: Trashed<Entity>): Promise<boolean> {
    return this.restoreByKey(helper<object>(row).getPrimaryKey() as Primary<Entity>);
  }

  /** {@link restore} for a row of which only the key is at hand. Answers false when it is live or unknown. */
  async restoreByKey(key: Primary<Entity>): Promise<boolean> {
    const own = await ownDeletionOf(this.#meta())?.restore(this.#em(), this.#meta(), key);
    if (own !== undefined) return own;
    const now = raw('now()');
    const touched = instantsSetOnUpdate(this.#meta()).map((name) => [name, now]);
    const live = { [DELETED_AT]: null, ...Object.fromEntries(touched) };
    const dead = { [DELETED_AT]: { $ne: null } };
    return this.#skipping(async (em) => {
      const where = { $and: [this.#byKey(key), dead] } as FilterQuery<NoInfer<Entity>>;
      return (await em.nativeUpdate(this.entityName, where, live as never)) > 0;
    });
  }

  /**
   * Changes many rows, each to values of its own, in one statement: `[{ id: '1', name: 'a' }, { id: '2', name: 'b' }]`. All of them
   * are changed or none, and the rows are locked in the order of their keys. What changes on update does, as `updatedAt`; no
   * managed entity is needed, and none that is there is changed. Answers the changes that were written, which is all of them unless
   * missing rows are skipped. Of a class with a version that is counted, it is counted up, and compared where it is given.
   *
   * @throws SoftDeletedRowError naming the rows that are deleted, hidden or gone, or OptimisticLockError where versions are given;
   *   nothing is written then, and a transaction goes on. InvalidInputError before anything is sent: `field` names row and property.
   */
  async updateMany<Change extends RowChange<Entity>>(
    rows: readonly ExactChange<Entity, Change>[],
    options: UpdateManyOptions = {},
  ): Promise<Change[]> {
    const places = await updateMany(this.#em(), this.#meta(), rows, options);
    return places.map((place) => rows[place] as Change);
  }

  /** Removes the row physically, live or dead; the actions of foreign keys fire. */
  async hardDelete(key: Primary<Entity>): Promise<boolean> {
    return this.#skipping(async (em) => (await em.nativeDelete(this.entityName, this.#byKey(key))) > 0);
  }

  #byKey(key: Primary<Entity>): FilterQuery<NoInfer<Entity>> {
    const [first, ...more] = this.#meta().primaryKeys;
    if (more.length === 0) return { [first as string]: key } as FilterQuery<NoInfer<Entity>>;
    const values = Array.isArray(key) ? (key as unknown[]) : Object.values(key as object);
    return Object.fromEntries([first, ...more].map((name, index) => [name, values[index]])) as FilterQuery<
      NoInfer<Entity>
    >;
  }

  #meta(): EntityMetadata {
    return this.getEntityManager().getMetadata().get(this.entityName);
  }

  #skipping<T>(work: (em: DataEntityManager) => Promise<T>): Promise<T> {
    return this.#em().skipSoftDelete(work);
  }

  #em(): DataEntityManager {
    return this.getEntityManager() as unknown as DataEntityManager;
  }
}
