import type { EntityClass, EntityMetadata, FilterQuery } from '@mikro-orm/core';
import { type DataEntityManager, ownDeletionOf } from '../orm/index.ts';
import { currentScope, guardsWrites } from '../soft-delete/index.ts';
import { DeletionError } from './errors.ts';
import { type Deletion, removeRows } from './remove-rows.ts';

/** An entity whose rows can be deleted so that they can be restored. */
export interface Deletable {
  deletedAt?: Date | null;
}

/**
 * Deletes the rows that meet a condition, and by the policies what refers to them: what `em.remove` and `em.nativeDelete` do, with
 * the batch and the counts as an answer. In the caller's transaction, or in one of its own.
 *
 * @throws DeletionRestrictedError when live rows forbid it; nothing is deleted then.
 */
export async function deleteRows<Entity extends Deletable>(
  em: DataEntityManager,
  entity: EntityClass<Entity>,
  where: FilterQuery<NoInfer<Entity>>,
): Promise<Deletion> {
  const meta = registered(em, entity);
  const own = await conditionOf(em, entity, where);
  return removeRows(em.getDriver(), meta, own, {
    em,
    ctx: em.getTransactionContext(),
    ...(em.schema !== undefined && { schema: em.schema }),
  });
}

/** The metadata of a class that deletes by policies. */
export function registered(em: DataEntityManager, entity: EntityClass<object>): EntityMetadata {
  const meta = em.getMetadata().get(entity) as EntityMetadata;
  if (!ownDeletionOf(meta)) throw DeletionError.notRegistered(meta.className);
  if (!guardsWrites(currentScope())) throw DeletionError.scope();
  return meta;
}

/** The condition with the filters of the entity manager, such as that of a tenant. */
export async function conditionOf(
  em: DataEntityManager,
  entity: EntityClass<object>,
  where: unknown,
): Promise<unknown> {
  type Process = (
    entity: EntityClass<object>,
    where: unknown,
    options: object,
    type: 'delete',
  ) => Promise<unknown>;
  return (em as unknown as { processWhere: Process }).processWhere(entity, where, {}, 'delete');
}
