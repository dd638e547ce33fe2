import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Account } from '../accounts/account.entity.ts';

const count = () => p.integer().default(0);

const SoraUsageStatsSchema = defineEntity({
  name: 'SoraUsageStats',
  tableName: 'sora_usage_stats',
  properties: {
    id: bigintId(),
    account: () => p.manyToOne(Account).deleteRule('cascade').updateRule('no action'),
    imageCount: count(),
    videoCount: count(),
    errorCount: count(),
    lastErrorAt: p.datetime().columnType('timestamptz').nullable(),
    todayImageCount: count(),
    todayVideoCount: count(),
    todayErrorCount: count(),
    /** The UTC day that the counters of today are of. */
    todayDate: p.date().nullable(),
    consecutiveErrorCount: count(),
    ...timestamps(),
  },
  uniques: [{ name: 'sora_usage_stats_account_id_key', properties: ['account'] }],
  indexes: [{ name: 'idx_sora_usage_stats_today_date', properties: ['todayDate'] }],
});

/** How often an account has succeeded and failed. Its counters of today are those of `todayDate`, whatever day it is. */
export class SoraUsageStats extends SoraUsageStatsSchema.class {}

SoraUsageStatsSchema.setClass(SoraUsageStats);
softDelete.deadTargets(SoraUsageStats, { account: 'null' });
