/** What a program would write by hand for the gateway's reads; each is sent as a named statement. */

export const BY_KEY = {
  name: 'bench_auth',
  text: `select k.id, k.user_id, k.group_id, k.status, k.ip_whitelist, k.ip_blacklist,
    u.id as u_id, u.status as u_status, u.role, u.balance, u.concurrency,
    g.id as g_id, g.name, g.platform, g.status as g_status, g.subscription_type, g.rate_multiplier,
    g.daily_limit_usd, g.weekly_limit_usd, g.monthly_limit_usd, g.image_price_1k, g.image_price_2k, g.image_price_4k,
    g.claude_code_only, g.fallback_group_id, g.model_routing_enabled, g.model_routing
    from api_keys k
    left join users u on u.id = k.user_id and u.deleted_at is null
    left join groups g on g.id = k.group_id and g.deleted_at is null
    where k.key = $1 and k.deleted_at is null`,
};

export const KEYS_OF_GROUP = {
  name: 'bench_keys_of_group',
  text: `select t.total, k.id, k.user_id, k.key, k.name, k.group_id, k.status, k.ip_whitelist, k.ip_blacklist,
    k.created_at, k.updated_at,
    u.id as u_id, u.email, u.username, u.notes, u.role, u.balance, u.concurrency, u.status as u_status,
    u.created_at as u_created_at, u.updated_at as u_updated_at,
    g.id as g_id, g.name as g_name, g.description, g.rate_multiplier, g.is_exclusive, g.status as g_status, g.platform,
    g.subscription_type, g.daily_limit_usd, g.weekly_limit_usd, g.monthly_limit_usd, g.default_validity_days,
    g.image_price_1k, g.image_price_2k, g.image_price_4k, g.claude_code_only, g.fallback_group_id, g.model_routing,
    g.model_routing_enabled, g.created_at as g_created_at, g.updated_at as g_updated_at
    from (select count(*) as total from api_keys where group_id = $1 and deleted_at is null) t
    left join (
      select * from api_keys where group_id = $1 and deleted_at is null order by id desc limit 50 offset $2
    ) k on true
    left join users u on u.id = k.user_id and u.deleted_at is null
    left join groups g on g.id = k.group_id and g.deleted_at is null
    order by k.id desc`,
};

const FILTER = `deleted_at is null and status = $1 and (email ilike $2 or username ilike $2)`;

export const USERS = {
  name: 'bench_users',
  text: `select id, email, password_hash, role, balance, concurrency, status, username, notes, created_at, updated_at
    from users where ${FILTER} order by id desc limit 50 offset $3`,
};
export const USERS_TOTAL = { name: 'bench_users_total', text: `select count(*) from users where ${FILTER}` };
/** Page and total together, so that the text is looked for once. */
export const USERS_AND_TOTAL = {
  name: 'bench_users_and_total',
  text: `with matching as materialized (select id from users where ${FILTER})
    select t.total, u.id, u.email, u.password_hash, u.role, u.balance, u.concurrency, u.status, u.username, u.notes,
    u.created_at, u.updated_at
    from (select count(*) as total from matching) t
    left join (select id from matching order by id desc limit 50 offset $3) p on true
    left join users u on u.id = p.id and u.deleted_at is null
    order by p.id desc`,
};
export const SETS = {
  name: 'bench_sets',
  text: `select user_id, group_id from user_allowed_groups where user_id = any ($1::bigint[]) order by user_id, group_id`,
};
export const SUBSCRIPTIONS = {
  name: 'bench_subscriptions',
  text: `select s.*, g.name as g_name, g.platform, g.status as g_status, g.subscription_type, g.rate_multiplier,
    g.daily_limit_usd, g.weekly_limit_usd, g.monthly_limit_usd, g.created_at as g_created_at, g.updated_at as g_updated_at
    from user_subscriptions s
    left join groups g on g.id = s.group_id and g.deleted_at is null
    where s.user_id = any ($1::bigint[]) and s.status = 'active' and s.deleted_at is null order by s.user_id, s.id`,
};
