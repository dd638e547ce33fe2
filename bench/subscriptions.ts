import type { Pool } from 'pg';
import { gatewayRepositories } from '../src/gateway/index.ts';
import type { DataEntityManager } from '../src/index.ts';
import { liveNumber, SIZE } from './data.ts';
import { CALLERS } from './gateway.ts';
import type { Workload } from './measure.ts';

type Row = Record<string, unknown>;

/** What a program would write by hand for the same answer. */
const ACTIVE = {
  name: 'bench_active_subscription',
  text: `select s.id, s.user_id, s.group_id, s.starts_at, s.expires_at, s.status, s.daily_window_start,
    s.weekly_window_start, s.monthly_window_start, s.daily_usage_usd, s.weekly_usage_usd, s.monthly_usage_usd,
    s.assigned_by, s.assigned_at, s.notes, s.created_at, s.updated_at,
    g.id as g_id, g.name, g.description, g.rate_multiplier, g.is_exclusive, g.status as g_status, g.platform,
    g.subscription_type, g.daily_limit_usd, g.weekly_limit_usd, g.monthly_limit_usd, g.default_validity_days,
    g.image_price_1k, g.image_price_2k, g.image_price_4k, g.claude_code_only, g.fallback_group_id, g.model_routing,
    g.model_routing_enabled, g.created_at as g_created_at, g.updated_at as g_updated_at
    from user_subscriptions s
    left join groups g on g.id = s.group_id and g.deleted_at is null
    where s.user_id = $1 and s.group_id = $2 and s.status = 'active' and s.expires_at > now() and s.deleted_at is null`,
};

/** A user and a group as `data.ts` pairs them. */
function pair(index: number): [user: string, group: string] {
  const n = liveNumber(index, SIZE.users);
  return [String(1 + (n % SIZE.users)), String(1 + ((n * 13) % SIZE.groups))];
}

/** The lookup that every request of a subscription key makes, by one caller and by many, next to the same on `pg`. */
export function subscriptionWorkloads(pool: Pool, root: DataEntityManager): Workload[] {
  const lookup: Workload = {
    name: 'subscription-lookup',
    variants: [
      {
        name: 'pg, named statement',
        run: async (i) => (await pool.query<Row>({ ...ACTIVE, values: pair(i) })).rows[0],
      },
      {
        name: 'tombstone repository',
        run: (i) => gatewayRepositories(root).subscriptions.getActiveByUserIdAndGroupId(...pair(i)),
      },
    ],
  };
  return [lookup, { ...lookup, name: `${lookup.name}-by-${CALLERS}`, callers: CALLERS }];
}
