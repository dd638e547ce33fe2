import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Proxy } from '../proxies/proxy.entity.ts';

const instant = () => p.datetime().columnType('timestamptz').nullable();
const indexed = (column: string, property = column) => ({
  name: `idx_accounts_${column}`,
  properties: [property] as never[],
});

const AccountSchema = defineEntity({
  name: 'Account',
  tableName: 'accounts',
  properties: {
    id: bigintId(),
    name: p.string().length(100),
    notes: p.text().nullable(),
    platform: p.string().length(50),
    type: p.string().length(20),
    credentials: p.json<Record<string, unknown>>().defaultRaw(`'{}'`).hidden(),
    extra: p.json<Record<string, unknown>>().defaultRaw(`'{}'`),
    proxy: () => p.manyToOne(Proxy).nullable().deleteRule('set null').updateRule('no action'),
    concurrency: p.integer().default(3),
    priority: p.integer().default(50),
    rateMultiplier: money(10, 4).default('1.0'),
    status: p.string().length(20).default('active'),
    errorMessage: p.text().nullable(),
    lastUsedAt: instant(),
    expiresAt: instant(),
    autoPauseOnExpired: p.boolean().default(true),
    schedulable: p.boolean().default(true),
    rateLimitedAt: instant(),
    rateLimitResetAt: instant(),
    overloadUntil: instant(),
    tempUnschedulableUntil: instant(),
    tempUnschedulableReason: p.text().nullable(),
    sessionWindowStart: instant(),
    sessionWindowEnd: instant(),
    sessionWindowStatus: p.string().length(20).nullable(),
    ...timestamps(),
    ...softDelete.properties(),
  },
  indexes: [
    indexed('platform'),
    indexed('type'),
    indexed('status'),
    indexed('proxy_id', 'proxy'),
    indexed('priority'),
    indexed('last_used_at', 'lastUsedAt'),
    indexed('schedulable'),
    indexed('rate_limited_at', 'rateLimitedAt'),
    indexed('rate_limit_reset_at', 'rateLimitResetAt'),
    indexed('overload_until', 'overloadUntil'),
    indexed('deleted_at', 'deletedAt'),
    {
      name: 'idx_accounts_temp_unschedulable_until',
      properties: ['tempUnschedulableUntil'],
      where: { deletedAt: null },
    },
    {
      name: 'idx_accounts_schedulable_platform_priority',
      expression: `create index idx_accounts_schedulable_platform_priority on accounts (platform, priority) where deleted_at is null and status = 'active' and schedulable`,
    },
    {
      name: 'idx_accounts_crs_account_id',
      expression: `create index idx_accounts_crs_account_id on accounts ((extra ->> 'crs_account_id'), id) where deleted_at is null`,
    },
  ],
});

/** An account at a platform that serves the requests of its groups. */
export class Account extends AccountSchema.class {}

AccountSchema.setClass(Account);
softDelete.register(Account, { upsert: 'refuse' });
softDelete.deadTargets(Account, { proxy: 'null' });
