import type { Amount, Id } from '../../kit/columns/index.ts';
import { type GroupRecord, groupRecord } from '../groups/group-record.ts';
import type { Group } from '../groups/group.entity.ts';
import type { UserSubscription } from './user-subscription.entity.ts';

/** A subscription as the repositories answer. A window start of null means that the window was never used. */
export interface SubscriptionRecord {
  readonly id: Id;
  readonly userId: Id;
  readonly groupId: Id;
  readonly startsAt: Date;
  readonly expiresAt: Date;
  /** As stored: 'active' may have expired since. */
  readonly status: string;
  readonly dailyWindowStart: Date | null;
  readonly weeklyWindowStart: Date | null;
  readonly monthlyWindowStart: Date | null;
  readonly dailyUsageUsd: Amount;
  readonly weeklyUsageUsd: Amount;
  readonly monthlyUsageUsd: Amount;
  readonly assignedById: Id | null;
  readonly assignedAt: Date;
  readonly notes: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A subscription with its group, which is null when it is deleted; `groupId` stays. */
export interface SubscriptionWithGroup extends SubscriptionRecord {
  readonly group: GroupRecord | null;
}

export function subscriptionRecord(subscription: UserSubscription): SubscriptionRecord {
  const { id, startsAt, expiresAt, status, assignedAt, createdAt, updatedAt } = subscription;
  const { dailyUsageUsd, weeklyUsageUsd, monthlyUsageUsd } = subscription;
  return {
    id,
    startsAt,
    expiresAt,
    status,
    dailyUsageUsd,
    weeklyUsageUsd,
    monthlyUsageUsd,
    assignedAt,
    createdAt,
    updatedAt,
    userId: subscription.user.id,
    groupId: subscription.group.id,
    dailyWindowStart: subscription.dailyWindowStart ?? null,
    weeklyWindowStart: subscription.weeklyWindowStart ?? null,
    monthlyWindowStart: subscription.monthlyWindowStart ?? null,
    assignedById: subscription.assignedBy?.id ?? null,
    notes: subscription.notes ?? '',
  };
}

/** The record with its group, as it was found among the live rows. */
export function withGroup(record: SubscriptionRecord, group: Group | undefined): SubscriptionWithGroup {
  return { ...record, group: group ? groupRecord(group) : null };
}
