import type { Id } from '../../kit/columns/index.ts';
import { checkGiven, checkOptionalId } from '../../kit/input/index.ts';
import { checkedStatus } from './subscription-input.ts';
import type { SubscriptionStatus } from './subscription-record.ts';
import type { Condition } from './subscriptions-with-relations.ts';

/** What is left out, null or empty filters nothing. */
export interface SubscriptionFilters {
  readonly userId?: Id;
  readonly groupId?: Id;
  /** As stored: 'active' finds those that are over, too, until `batchUpdateExpiredStatus` has seen them. */
  readonly status?: SubscriptionStatus;
}

/**
 * Each combination of filters is a statement of its own, so that each is planned by the indexes that suit it.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function conditionOf(filters: SubscriptionFilters): Condition {
  const { userId, groupId, status } = checkGiven('filters', filters);
  const given = [
    ['user', 'user_id', checkOptionalId('userId', userId)],
    ['group', 'group_id', checkOptionalId('groupId', groupId)],
    ['status', 'status', status ? checkedStatus(status) : undefined],
  ].filter(([, , value]) => value !== undefined);
  return {
    name: ['page', ...given.map(([name]) => name)].join('_'),
    sql: given.map(([, column], n) => `s.${column} = $${n + 1}`).join(' and ') || 'true',
    values: given.map(([, , value]) => value),
  };
}
