import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Group } from '../groups/group.entity.ts';
import { User } from '../users/user.entity.ts';

const instant = () => p.datetime().columnType('timestamptz');

const UserSubscriptionSchema = defineEntity({
  name: 'UserSubscription',
  tableName: 'user_subscriptions',
  properties: {
    id: bigintId(),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    group: () => p.manyToOne(Group).deleteRule('cascade').updateRule('no action'),
    startsAt: instant(),
    expiresAt: instant(),
    status: p.string().length(20).default('active'),
    dailyWindowStart: instant().nullable(),
    weeklyWindowStart: instant().nullable(),
    monthlyWindowStart: instant().nullable(),
    dailyUsageUsd: money(20, 10).default('0'),
    weeklyUsageUsd: money(20, 10).default('0'),
    monthlyUsageUsd: money(20, 10).default('0'),
    assignedBy: () =>
      p.manyToOne(User).fieldName('assigned_by').nullable().deleteRule('set null').updateRule('no action'),
    assignedAt: instant().defaultRaw('now()'),
    notes: p.text().nullable(),
    ...timestamps(),
    ...softDelete.properties(),
  },
  uniques: [
    {
      name: 'user_subscriptions_user_group_unique_active',
      properties: ['user', 'group'],
      where: { deletedAt: null },
    },
  ],
  indexes: [
    { name: 'idx_user_subscriptions_user_id', properties: ['user'] },
    { name: 'idx_user_subscriptions_group_id', properties: ['group'] },
    { name: 'idx_user_subscriptions_status', properties: ['status'] },
    { name: 'idx_user_subscriptions_expires_at', properties: ['expiresAt'] },
    { name: 'idx_user_subscriptions_assigned_by', properties: ['assignedBy'] },
    { name: 'usersubscription_deleted_at', properties: ['deletedAt'] },
    {
      name: 'idx_user_subscriptions_overdue',
      expression: `create index idx_user_subscriptions_overdue on user_subscriptions (expires_at, id) where status = 'active' and deleted_at is null`,
    },
  ],
});

/** What a user has of a group until a date. Once it is deleted, the pair may be assigned again. */
export class UserSubscription extends UserSubscriptionSchema.class {}

UserSubscriptionSchema.setClass(UserSubscription);
softDelete.register(UserSubscription, { upsert: 'beside' });
// The specification keeps a subscription of a deleted user or group, and answers that it has none.
softDelete.deadTargets(UserSubscription, { user: 'null', group: 'null', assignedBy: 'null' });
