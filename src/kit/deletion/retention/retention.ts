import 'reflect-metadata';
import type { EntityMetadata } from '@mikro-orm/core';
import { isSoftDeletable } from '../../soft-delete/index.ts';
import { checkInterval } from './interval.ts';
import { RetentionError } from './retention-error.ts';

type EntityClass<Entity> = abstract new (...args: never[]) => Entity;

/** How long dead rows of a class stay. */
export interface RetentionPolicy<Entity = object> {
  /** `30 days`, `1 year 6 months`: from `deleted_at` on, by the clock of the database. */
  readonly olderThan: string;
  /** The property that says whose rows they are, of one column: a value, or a relation. */
  readonly tenant?: keyof Entity & string;
  /** Other intervals for some tenants, by the value of the column as text. */
  readonly tenants?: Readonly<Record<string, string>>;
}

const POLICY = Symbol.for('tombstone:retention-policy');

/**
 * Says how long the dead rows of a class stay before a purge removes them for good.
 *
 * @example
 * ```ts
 * retention.policy(Invoice, { olderThan: '10 years' });
 * retention.policy(Draft, { olderThan: '30 days', tenant: 'account', tenants: { '7': '1 year' } });
 * ```
 */
export const retention = {
  /**
   * A class without a policy is never purged. The class needs no `deletion.register`.
   *
   * @throws RetentionError for a class that is not soft-deletable, and for an interval that is none.
   */
  policy<Entity extends { deletedAt?: Date | null }>(
    target: EntityClass<Entity>,
    policy: RetentionPolicy<NoInfer<Entity>>,
  ): void {
    if (!isSoftDeletable({ class: target as never })) throw RetentionError.notSoftDeletable(target.name);
    for (const interval of [policy.olderThan, ...Object.values(policy.tenants ?? {})])
      checkInterval(interval);
    if (policy.tenants && policy.tenant === undefined) throw RetentionError.noTenant(target.name);
    Reflect.defineMetadata(POLICY, policy, target);
  },
};

/** The policy of the class itself: rows of a hierarchy are in one table, whose root has it. */
export function policyOf({ class: target }: Pick<EntityMetadata, 'class'>): RetentionPolicy | undefined {
  return Reflect.getOwnMetadata(POLICY, target as object) as RetentionPolicy | undefined;
}
