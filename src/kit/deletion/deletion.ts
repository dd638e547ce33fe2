import { setOwnDeletion } from '../orm/index.ts';
import { isSoftDeletable } from '../soft-delete/index.ts';
import { DeletionError } from './errors.ts';
import { declarePolicies, type RelationPolicies } from './policy.ts';
import { removeForDriver } from './remove-rows.ts';
import { restoreByKey } from './restore.ts';

type EntityClass<Entity> = abstract new (...args: never[]) => Entity;

/** An object type that is written out, so that a property of another name is a mistake. */
type Exactly<Policies, Allowed> = Policies & {
  readonly [Name in Exclude<keyof Policies, keyof Allowed>]: never;
};

/**
 * Says which classes delete by policies and fill the journal, and what becomes of the rows that refer to theirs.
 *
 * @example
 * ```ts
 * softDelete.register(Album);
 * softDelete.register(Track);
 * deletion.register(Album);
 * deletion.register(Track);
 * deletion.relations(Track, { album: 'cascade', producer: 'unlink' });
 * ```
 */
export const deletion = {
  /**
   * Makes every deletion of the class follow the foreign keys that lead to it: `em.remove`, `em.nativeDelete`, repositories.
   *
   * @throws DeletionError for a class that is not soft-deletable.
   */
  register(target: EntityClass<{ deletedAt?: Date | null }>): void {
    if (!isSoftDeletable({ class: target as never })) throw DeletionError.notSoftDeletable(target.name);
    setOwnDeletion(target, {
      remove: removeForDriver,
      restore: restoreByKey,
      refusal: DeletionError.queryBuilder,
    });
  },
  /**
   * Declares what becomes of rows of `target` when the row that a relation leads to is deleted; the key of the relation stands in
   * the table of `target`, or in the link table of a collection. Without a declaration ON DELETE of the foreign key says it.
   */
  relations<Entity extends object, Policies extends RelationPolicies<Entity>>(
    target: EntityClass<Entity>,
    policies: Exactly<Policies, RelationPolicies<Entity>>,
  ): void {
    declarePolicies(target, policies);
  },
};
