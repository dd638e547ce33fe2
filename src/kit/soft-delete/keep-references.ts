import { type EntityManager, type EntityMetadata, helper, type UnitOfWork } from '@mikro-orm/core';
import { isSoftDeletable } from './marker.ts';
import { pointAtRow, type Referrer, referrersTo } from './referrers.ts';
import { currentScope, guardsWrites } from './scope.ts';

type Row = Record<string, unknown>;

/** By removed entity, while a flush runs: found in one pass for all of them, since there may be many. */
const known = new WeakMap<object, readonly Referrer[]>();

/** Tells {@link keepReferences} which loaded entities refer to `removed`, so that it need not look for them. */
export function rememberReferrers(removed: object, referrers: readonly Referrer[]): void {
  known.set(removed, referrers);
}

/**
 * Makes the removal of a soft-deletable entity from the identity map leave the references to it alone.
 *
 * The core empties them, so that the next flush writes NULL: right for a row that is gone. A row that is only marked is
 * still what they refer to, whichever way its entity has left: by a flush, by a bulk delete, by a refresh that found it
 * dead, or through a transaction's entity manager, even when that transaction is rolled back afterwards.
 */
export function keepReferences(em: EntityManager): void {
  const uow = em.getUnitOfWork(false);
  const unset = uow.unsetIdentity.bind(uow);
  uow.unsetIdentity = (entity: object) => {
    const meta = helper(entity).__meta as EntityMetadata;
    const isMarked = guardsWrites(currentScope()) && isSoftDeletable(meta);
    if (!isMarked || !helper(entity).hasPrimaryKey()) return unset(entity);
    // A transaction's entity manager may have loaded the row as another entity than this one did.
    const own = uow.getIdentityMap().getByEntity<object>(entity) ?? entity;
    const referrers = (known.get(own) ?? referrersTo(em, uow, own)).map((one) => ({
      ...one,
      before: snapshot(uow, one),
    }));
    known.delete(own);
    unset(own);
    if (own !== entity) unset(entity);
    for (const one of referrers) {
      pointAtRow(em, one, own);
      // With the key of the removed row in its own, the core has taken the referrer out of the identity map as well.
      if (one.before) uow.register(one.entity as never, one.before, { refresh: true });
    }
  };
}

function snapshot(uow: UnitOfWork, { entity, prop }: Referrer): Row | undefined {
  const isManaged = uow.getIdentityMap().getByEntity(entity) === entity;
  return prop.primary && isManaged ? helper(entity).__originalEntityData : undefined;
}
