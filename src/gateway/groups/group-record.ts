import type { Amount, Id } from '../../kit/columns/index.ts';
import type { Platform } from '../platforms.ts';
import type { Group, ModelRouting } from './group.entity.ts';

/** A group's own columns. A limit of null or zero is none; an image price of null is the default price. */
export interface GroupRecord {
  readonly id: Id;
  readonly name: string;
  readonly description: string;
  readonly rateMultiplier: Amount;
  readonly isExclusive: boolean;
  readonly status: string;
  readonly platform: string;
  readonly subscriptionType: string;
  readonly dailyLimitUsd: Amount | null;
  readonly weeklyLimitUsd: Amount | null;
  readonly monthlyLimitUsd: Amount | null;
  readonly defaultValidityDays: number;
  readonly imagePrice1k: Amount | null;
  readonly imagePrice2k: Amount | null;
  readonly imagePrice4k: Amount | null;
  readonly claudeCodeOnly: boolean;
  readonly fallbackGroupId: Id | null;
  readonly modelRouting: ModelRouting;
  readonly modelRoutingEnabled: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A group and how many live accounts serve it. */
export interface GroupWithAccountCount extends GroupRecord {
  readonly accountCount: number;
}

type Writable = Omit<
  GroupRecord,
  'id' | 'createdAt' | 'updatedAt' | 'description' | 'modelRouting' | 'platform'
> & {
  readonly platform: Platform;
  readonly description: string | null;
  readonly modelRouting: ModelRouting | null;
};

/** What a new group needs; what is left out has the column's default. */
export type NewGroup = Pick<Writable, 'name'> & Partial<Writable>;

/** What is left out stays; null clears a column that may be empty. */
export type GroupChange = Pick<GroupRecord, 'id'> & Partial<Writable>;

export function groupRecord(group: Group): GroupRecord {
  const { id, name, rateMultiplier, isExclusive, status, platform, subscriptionType, defaultValidityDays } =
    group;
  const { claudeCodeOnly, modelRoutingEnabled, createdAt, updatedAt } = group;
  return {
    id,
    name,
    rateMultiplier,
    isExclusive,
    status,
    platform,
    subscriptionType,
    defaultValidityDays,
    claudeCodeOnly,
    modelRoutingEnabled,
    createdAt,
    updatedAt,
    description: group.description ?? '',
    dailyLimitUsd: group.dailyLimitUsd ?? null,
    weeklyLimitUsd: group.weeklyLimitUsd ?? null,
    monthlyLimitUsd: group.monthlyLimitUsd ?? null,
    imagePrice1k: group.imagePrice1k ?? null,
    imagePrice2k: group.imagePrice2k ?? null,
    imagePrice4k: group.imagePrice4k ?? null,
    // Stays visible when the fallback group itself is deleted.
    fallbackGroupId: group.fallbackGroup?.id ?? null,
    modelRouting: group.modelRouting ?? {},
  };
}
