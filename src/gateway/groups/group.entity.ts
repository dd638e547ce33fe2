import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';

/** Which accounts serve which models: a pattern, with `*` at its end for any ending, to account ids. */
export type ModelRouting = Record<string, readonly (number | string)[]>;

const price = () => money(20, 8).nullable();

const GroupSchema = defineEntity({
  name: 'Group',
  tableName: 'groups',
  properties: {
    id: bigintId(),
    name: p.string().length(100),
    description: p.text().nullable(),
    rateMultiplier: money(10, 4).default('1.0'),
    isExclusive: p.boolean().default(false),
    status: p.string().length(20).default('active'),
    platform: p.string().length(50).default('anthropic'),
    subscriptionType: p.string().length(20).default('standard'),
    dailyLimitUsd: price(),
    weeklyLimitUsd: price(),
    monthlyLimitUsd: price(),
    defaultValidityDays: p.integer().default(30),
    imagePrice1k: price().fieldName('image_price_1k'),
    imagePrice2k: price().fieldName('image_price_2k'),
    imagePrice4k: price().fieldName('image_price_4k'),
    claudeCodeOnly: p.boolean().default(false),
    fallbackGroup: () => p.manyToOne(GroupSchema).nullable().deleteRule('set null').updateRule('no action'),
    modelRouting: p.json<ModelRouting>().nullable().defaultRaw(`'{}'`),
    modelRoutingEnabled: p.boolean().default(false),
    ...timestamps(),
    ...softDelete.properties(),
  },
  uniques: [{ name: 'groups_name_unique_active', properties: ['name'], where: { deletedAt: null } }],
  indexes: [
    { name: 'idx_groups_status', properties: ['status'] },
    { name: 'idx_groups_is_exclusive', properties: ['isExclusive'] },
    { name: 'idx_groups_platform', properties: ['platform'] },
    { name: 'idx_groups_subscription_type', properties: ['subscriptionType'] },
    { name: 'idx_groups_deleted_at', properties: ['deletedAt'] },
    { name: 'idx_groups_claude_code_only', properties: ['claudeCodeOnly'], where: { deletedAt: null } },
    {
      name: 'idx_groups_fallback_group_id',
      properties: ['fallbackGroup'],
      where: 'deleted_at is null and fallback_group_id is not null',
    },
  ],
});

/** What a key may use and what it costs. */
export class Group extends GroupSchema.class {}

GroupSchema.setClass(Group);
softDelete.register(Group, { upsert: 'beside' });
softDelete.deadTargets(Group, { fallbackGroup: 'null' });
