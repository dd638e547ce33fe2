import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Account } from '../accounts/account.entity.ts';
import { ApiKey } from '../api-keys/api-key.entity.ts';
import { Group } from '../groups/group.entity.ts';
import { UserSubscription } from '../subscriptions/user-subscription.entity.ts';
import { User } from '../users/user.entity.ts';

const tokens = () => p.integer().default(0);
const cost = () => money(20, 10).default('0');

const UsageLogSchema = defineEntity({
  name: 'UsageLog',
  tableName: 'usage_logs',
  properties: {
    id: bigintId(),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    apiKey: () => p.manyToOne(ApiKey).deleteRule('cascade').updateRule('no action'),
    account: () => p.manyToOne(Account).deleteRule('cascade').updateRule('no action'),
    group: () => p.manyToOne(Group).nullable().deleteRule('set null').updateRule('no action'),
    subscription: () =>
      p.manyToOne(UserSubscription).nullable().deleteRule('set null').updateRule('no action'),
    requestId: p.string().length(64).nullable(),
    model: p.string().length(100),
    inputTokens: tokens(),
    outputTokens: tokens(),
    cacheCreationTokens: tokens(),
    cacheReadTokens: tokens(),
    cacheCreation5mTokens: tokens().fieldName('cache_creation_5m_tokens'),
    cacheCreation1hTokens: tokens().fieldName('cache_creation_1h_tokens'),
    inputCost: cost(),
    outputCost: cost(),
    cacheCreationCost: cost(),
    cacheReadCost: cost(),
    totalCost: cost(),
    actualCost: cost(),
    rateMultiplier: money(10, 4).default('1'),
    accountRateMultiplier: money(10, 4).nullable(),
    billingType: p.smallint().default(0),
    stream: p.boolean().default(false),
    durationMs: p.integer().nullable(),
    firstTokenMs: p.integer().nullable(),
    userAgent: p.string().length(512).nullable(),
    ipAddress: p.string().length(45).nullable(),
    imageCount: p.integer().nullable().default(0),
    imageSize: p.string().length(10).nullable(),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  uniques: [{ name: 'idx_usage_logs_request_id_api_key_unique', properties: ['requestId', 'apiKey'] }],
  indexes: [
    { name: 'idx_usage_logs_created_at', properties: ['createdAt'] },
    { name: 'idx_usage_logs_user_created', properties: ['user', 'createdAt'] },
    { name: 'idx_usage_logs_api_key_created_at', properties: ['apiKey', 'createdAt'] },
    { name: 'idx_usage_logs_account_created_at', properties: ['account', 'createdAt'] },
    { name: 'idx_usage_logs_model_created_at', properties: ['model', 'createdAt'] },
    { name: 'idx_usage_logs_sub_created', properties: ['subscription', 'createdAt'] },
    {
      name: 'idx_usage_logs_group_id',
      properties: ['group', 'createdAt'],
      where: 'group_id is not null',
    },
  ],
});

/** What one request used and cost. Written once, never changed. */
export class UsageLog extends UsageLogSchema.class {}

UsageLogSchema.setClass(UsageLog);
// A log outlives the soft deletion of everything that it names.
softDelete.deadTargets(UsageLog, {
  user: 'null',
  apiKey: 'null',
  account: 'null',
  group: 'null',
  subscription: 'null',
});
