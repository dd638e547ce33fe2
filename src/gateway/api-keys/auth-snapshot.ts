import type { Amount, Id } from '../../kit/columns/index.ts';
import { liveSql, type PreparedStatement } from '../../kit/orm/index.ts';
import { Group, type ModelRouting } from '../groups/group.entity.ts';
import { User } from '../users/user.entity.ts';
import { ApiKey } from './api-key.entity.ts';

/** What an authentication needs to know of a key, its owner and its group, all of one instant. */
export interface AuthSnapshot {
  readonly id: Id;
  readonly userId: Id;
  readonly groupId: Id | null;
  readonly status: string;
  readonly ipWhitelist: readonly string[] | null;
  readonly ipBlacklist: readonly string[] | null;
  /** Null when the owner is deleted: the key must be refused. */
  readonly user: AuthUser | null;
  /** Null when the key has no group, or its group is deleted; `groupId` tells the two apart. */
  readonly group: AuthGroup | null;
}

export interface AuthUser {
  readonly id: Id;
  readonly status: string;
  readonly role: string;
  readonly balance: Amount;
  readonly concurrency: number;
}

export interface AuthGroup {
  readonly id: Id;
  readonly name: string;
  readonly platform: string;
  readonly status: string;
  readonly subscriptionType: string;
  readonly rateMultiplier: Amount;
  readonly dailyLimitUsd: Amount | null;
  readonly weeklyLimitUsd: Amount | null;
  readonly monthlyLimitUsd: Amount | null;
  readonly imagePrice1k: Amount | null;
  readonly imagePrice2k: Amount | null;
  readonly imagePrice4k: Amount | null;
  readonly claudeCodeOnly: boolean;
  readonly fallbackGroupId: Id | null;
  readonly modelRoutingEnabled: boolean;
  readonly modelRouting: ModelRouting;
}

/**
 * One probe of `api_keys_key_key` and one of the owner's primary key. Groups are few, so that PostgreSQL would read all of them and make
 * a hash; with the limit it stops at the one that it looks for.
 */
export const BY_KEY_FOR_AUTH: PreparedStatement = {
  name: 'gateway_api_key_for_auth',
  isPipelined: true,
  text: `select k.id, k.user_id, k.group_id, k.status, k.ip_whitelist, k.ip_blacklist,
    u.id as u_id, u.status as u_status, u.role as u_role, u.balance as u_balance, u.concurrency as u_concurrency,
    its.*
  from api_keys k
  left join users u on u.id = k.user_id and ${liveSql(User, 'u')}
  left join lateral (
    select g.id as g_id, g.name as g_name, g.platform as g_platform, g.status as g_status,
      g.subscription_type as g_subscription_type, g.rate_multiplier as g_rate_multiplier,
      g.daily_limit_usd as g_daily, g.weekly_limit_usd as g_weekly, g.monthly_limit_usd as g_monthly,
      g.image_price_1k as g_price_1k, g.image_price_2k as g_price_2k, g.image_price_4k as g_price_4k,
      g.claude_code_only as g_claude_code_only, g.fallback_group_id as g_fallback_group_id,
      g.model_routing_enabled as g_model_routing_enabled, g.model_routing as g_model_routing
    from groups g where g.id = k.group_id and ${liveSql(Group, 'g')} limit 1
  ) its on true
  where k.key = $1 and ${liveSql(ApiKey, 'k')}`,
};

/** A row of {@link BY_KEY_FOR_AUTH}; a missing user or group has NULL in all of its columns. */
export interface AuthRow {
  readonly id: Id;
  readonly user_id: Id;
  readonly group_id: Id | null;
  readonly status: string;
  readonly ip_whitelist: readonly string[] | null;
  readonly ip_blacklist: readonly string[] | null;
  readonly u_id: Id | null;
  readonly u_status: string;
  readonly u_role: string;
  readonly u_balance: Amount;
  readonly u_concurrency: number;
  readonly g_id: Id | null;
  readonly g_name: string;
  readonly g_platform: string;
  readonly g_status: string;
  readonly g_subscription_type: string;
  readonly g_rate_multiplier: Amount;
  readonly g_daily: Amount | null;
  readonly g_weekly: Amount | null;
  readonly g_monthly: Amount | null;
  readonly g_price_1k: Amount | null;
  readonly g_price_2k: Amount | null;
  readonly g_price_4k: Amount | null;
  readonly g_claude_code_only: boolean;
  readonly g_fallback_group_id: Id | null;
  readonly g_model_routing_enabled: boolean;
  readonly g_model_routing: ModelRouting | null;
}

export function authSnapshot(row: AuthRow): AuthSnapshot {
  return {
    id: row.id,
    userId: row.user_id,
    groupId: row.group_id,
    status: row.status,
    ipWhitelist: row.ip_whitelist,
    ipBlacklist: row.ip_blacklist,
    user: row.u_id === null ? null : authUser(row, row.u_id),
    group: row.g_id === null ? null : authGroup(row, row.g_id),
  };
}

function authUser(row: AuthRow, id: Id): AuthUser {
  return {
    id,
    status: row.u_status,
    role: row.u_role,
    balance: row.u_balance,
    concurrency: row.u_concurrency,
  };
}

function authGroup(row: AuthRow, id: Id): AuthGroup {
  return {
    id,
    name: row.g_name,
    platform: row.g_platform,
    status: row.g_status,
    subscriptionType: row.g_subscription_type,
    rateMultiplier: row.g_rate_multiplier,
    dailyLimitUsd: row.g_daily,
    weeklyLimitUsd: row.g_weekly,
    monthlyLimitUsd: row.g_monthly,
    imagePrice1k: row.g_price_1k,
    imagePrice2k: row.g_price_2k,
    imagePrice4k: row.g_price_4k,
    claudeCodeOnly: row.g_claude_code_only,
    fallbackGroupId: row.g_fallback_group_id,
    modelRoutingEnabled: row.g_model_routing_enabled,
    modelRouting: row.g_model_routing ?? {},
  };
}
