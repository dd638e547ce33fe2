import type { Amount, Id } from '../../kit/columns/index.ts';
import { type GroupRecord, groupRecord } from '../groups/group-record.ts';
import type { Group } from '../groups/group.entity.ts';
import type { UserRecord } from '../users/user-record.ts';
import type { UserSubscription } from './user-subscription.entity.ts';

export const SUBSCRIPTION_STATUSES = ['active', 'expired', 'suspended'] as const;

export type SubscriptionStatus = (typeof SUBSCRIPTION_STATUSES)[number];

/** What a subscription has used since its windows began. A window start of null means that the window was never used. */
export interface SubscriptionWindows {
  readonly dailyWindowStart: Date | null;
  readonly weeklyWindowStart: Date | null;
  readonly monthlyWindowStart: Date | null;
  readonly dailyUsageUsd: Amount;
  readonly weeklyUsageUsd: Amount;
  readonly monthlyUsageUsd: Amount;
}

/** The usage of the three windows after a charge. */
export type SubscriptionTotals = Pick<
  SubscriptionWindows,
  'dailyUsageUsd' | 'weeklyUsageUsd' | 'monthlyUsageUsd'
>;

/** A subscription as the repositories answer. */
export interface SubscriptionRecord extends SubscriptionWindows {
  readonly id: Id;
  readonly userId: Id;
  readonly groupId: Id;
  readonly startsAt: Date;
  readonly expiresAt: Date;
  /** As stored: 'active' may have expired since. */
  readonly status: string;
  /** The status as it is: 'expired' also for what is stored as 'active' and past its end by the clock of the database. */
  readonly effectiveStatus: string;
  readonly assignedById: Id | null;
  readonly assignedAt: Date;
  readonly notes: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A user beside a subscription: without the hash of the password and the set of allowed groups. */
export type SubscriptionUser = Omit<UserRecord, 'passwordHash' | 'allowedGroups'>;

/** A subscription with its group, which is null when it is deleted; `groupId` stays. */
export interface SubscriptionWithGroup extends SubscriptionRecord {
  readonly group: GroupRecord | null;
}

/** The user is null when deleted; `userId` stays. */
export interface SubscriptionWithUserAndGroup extends SubscriptionWithGroup {
  readonly user: SubscriptionUser | null;
}

/** Who assigned it is null when nobody did, or who did is deleted; `assignedById` tells the two apart. */
export interface SubscriptionWithRelations extends SubscriptionWithUserAndGroup {
  readonly assignedByUser: SubscriptionUser | null;
}

/** What a request needs to know. */
export interface ActiveSubscription extends SubscriptionWithGroup {
  /** Whether a window was never used or is over: call `checkWindows` before you compare the usage with a limit. */
  readonly windowsDue: boolean;
}

/** Usage and windows begin empty. */
export interface NewSubscription {
  readonly userId: Id;
  readonly groupId: Id;
  /** What is later than the end of 2099 becomes the end of 2099. */
  readonly expiresAt: Date;
  /** Default now. */
  readonly startsAt?: Date;
  readonly status?: SubscriptionStatus;
  readonly assignedBy?: Id | null;
  /** Default now. */
  readonly assignedAt?: Date;
  readonly notes?: string | null;
}

type Never<Name extends PropertyKey> = { readonly [N in Name]?: never };

/**
 * What is left out stays; null clears `assignedBy` and `notes`. Usage and windows do not compile, and are refused: a copy
 * that was read before would take back what requests have recorded since.
 */
export type SubscriptionChange = { readonly id: Id } & Partial<NewSubscription> &
  Never<keyof SubscriptionWindows>;

export function subscriptionRecord(
  subscription: UserSubscription,
  effectiveStatus: string,
): SubscriptionRecord {
  const { id, startsAt, expiresAt, status, assignedAt, createdAt, updatedAt } = subscription;
  const { dailyUsageUsd, weeklyUsageUsd, monthlyUsageUsd } = subscription;
  return {
    id,
    startsAt,
    expiresAt,
    status,
    effectiveStatus,
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
