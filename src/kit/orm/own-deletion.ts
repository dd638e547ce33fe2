import 'reflect-metadata';
import type { DeleteOptions, EntityMetadata, QueryResult } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { DataDriver } from './data-driver.ts';
import type { DataEntityManager } from './data-entity-manager.ts';

/** What a delete was called with; `em` is there for `em.nativeDelete` and not for a flush. */
export type DeleteCall = DeleteOptions<object> & { readonly em?: SqlEntityManager };

/** How the rows of a class are deleted and restored that does more than to mark one. */
export interface OwnDeletion {
  /** In place of the update that marks rows. */
  remove(driver: DataDriver, meta: EntityMetadata, where: unknown, options: DeleteCall): Promise<QueryResult>;
  /** In place of lifting the mark of one row; undefined where that is all that there is to do. */
  restore(em: DataEntityManager, meta: EntityMetadata, key: unknown): Promise<boolean | undefined>;
  /** The error of a delete that is written with the query builder, which has no place for more than one statement. */
  refusal(entity: string): Error;
}

const OWN = Symbol.for('tombstone:own-deletion');

/** Gives a class and the classes that extend it a deletion of their own. */
export function setOwnDeletion(target: object, own: OwnDeletion): void {
  Reflect.defineMetadata(OWN, own, target);
}

/** The deletion of the entity's class, or of the nearest class that it extends; most have none. */
export function ownDeletionOf(meta: Pick<EntityMetadata, 'class'> | undefined): OwnDeletion | undefined {
  const target = meta?.class as object | undefined;
  return target && (Reflect.getMetadata(OWN, target) as OwnDeletion | undefined);
}
