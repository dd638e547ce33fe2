import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { ApiKey } from '../api-keys/api-key.entity.ts';
import { UserSubscription } from '../subscriptions/user-subscription.entity.ts';
import { User } from '../users/user.entity.ts';
import { UsageLog } from './usage-log.entity.ts';

const BillingUsageEntrySchema = defineEntity({
  name: 'BillingUsageEntry',
  tableName: 'billing_usage_entries',
  properties: {
    id: bigintId(),
    usageLog: () => p.manyToOne(UsageLog).deleteRule('cascade').updateRule('no action'),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    apiKey: () => p.manyToOne(ApiKey).deleteRule('cascade').updateRule('no action'),
    subscription: () =>
      p.manyToOne(UserSubscription).nullable().deleteRule('set null').updateRule('no action'),
    billingType: p.smallint(),
    applied: p.boolean().default(true),
    deltaUsd: money(20, 10).default('0'),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  uniques: [{ name: 'billing_usage_entries_usage_log_id_unique', properties: ['usageLog'] }],
  indexes: [
    { name: 'idx_billing_usage_entries_user_time', properties: ['user', 'createdAt'] },
    { name: 'idx_billing_usage_entries_created_at', properties: ['createdAt'] },
  ],
});

/** The ledger: what was charged for a log, or could not be, because the user or the subscription was gone. */
export class BillingUsageEntry extends BillingUsageEntrySchema.class {}

BillingUsageEntrySchema.setClass(BillingUsageEntry);
softDelete.deadTargets(BillingUsageEntry, { user: 'null', apiKey: 'null', subscription: 'null' });
