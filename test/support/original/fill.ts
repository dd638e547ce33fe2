import type { Client } from 'pg';
import type { OriginalShape } from '../original-gateway.ts';
import { fillLogs } from './fill-logs.ts';
import { fillOthers } from './fill-others.ts';
import { GROUPS_OF_ROWS } from './fill-sizes.ts';
import { columnsByTable, Series } from './series.ts';

/** How many rows a database shall have. */
export interface OriginalSize {
  readonly users: number;
  /** As many as users when left out. */
  readonly logs?: number;
}

/** What of a shape the rows depend on. */
export interface Quirks {
  /** Whether a deleted row lets another one have its e-mail, name or pair. */
  readonly isPartial: boolean;
  /** Whether columns may hold NULL that are NOT NULL elsewhere. */
  readonly isNullable: boolean;
  /** Whether one key may have a request id twice. */
  readonly hasTwice: boolean;
  /** Whether types of accounts are there that have another name by now. */
  readonly hasOfficial: boolean;
}

/** Stores rows as years of use leave them, in a database of any shape: deleted ones, odd ones, and most of them ordinary. */
export async function fillOriginal(client: Client, size: OriginalSize, shape: OriginalShape): Promise<void> {
  const series = new Series(client, await columnsByTable(client));
  const quirks: Quirks = {
    isPartial: shape.at >= 16 && !shape.gorm,
    isNullable: shape.gorm !== undefined,
    hasTwice: shape.at < 27 || shape.isDivided === true,
    hasOfficial: !shape.hasLedger,
  };
  await fillGroups(series, quirks);
  await fillUsers(series, size, quirks);
  await fillAllowedGroups(client, series, size);
  await fillOthers(series, size, quirks);
  await fillLogs(series, size, quirks);
}

const AT = `timestamptz '2025-01-01 00:00:00.123456+00' + n * interval '1 second'`;
const LATER = `timestamptz '2025-06-01 12:00:00.654321+00' + n * interval '1 second'`;

/** Every tenth is deleted; where the unique allows it, the next one has its name. */
async function fillGroups(series: Series, { isPartial, isNullable }: Quirks): Promise<void> {
  await series.insert('groups', GROUPS_OF_ROWS, {
    name: isPartial ? `'group ' || case when n % 10 = 1 and n > 1 then n - 1 else n end` : `'group ' || n`,
    description: `case when n % 3 = 0 then 'group number ' || n end`,
    rate_multiplier: 'n * 0.25',
    is_exclusive: isNullable ? 'nullif(n % 4, 1) = 0' : 'n % 4 = 0',
    platform: `(array['anthropic', 'openai', 'gemini'])[1 + n % 3]`,
    subscription_type: `case when n % 2 = 0 then 'subscription' else 'standard' end`,
    daily_limit_usd: 'case when n % 2 = 0 then n * 1.5 end',
    fallback_group_id: 'case when n % 5 = 0 then n - 1 end',
    model_routing: `case when n % 2 = 0 then jsonb_build_object('claude-*', jsonb_build_array(1, n)) end`,
    created_at: AT,
    updated_at: LATER,
    deleted_at: `case when n % 10 = 0 then ${LATER} end`,
  });
}

/** Every tenth is deleted; where the unique allows it, some of their addresses are used again. */
async function fillUsers(
  series: Series,
  { users }: OriginalSize,
  { isPartial, isNullable }: Quirks,
): Promise<void> {
  const orNull = (value: string, rest: number): string =>
    isNullable ? `case when n % 50 <> ${rest} then ${value} end` : value;
  await series.insert('users', users, {
    email: `'user' || ${isPartial ? 'case when n % 20 = 0 then n - 5 else n end' : 'n'} || '@example.test'`,
    password_hash: `'$2a$10$' || md5(n::text)`,
    role: `case when n = 1 then 'admin' else 'user' end`,
    balance: '(n % 1000) * 0.12345678 - 5',
    concurrency: orNull('5 + n % 3', 1),
    status: `case when n % 30 = 0 then 'disabled' else 'active' end`,
    username: orNull(`case when n % 4 = 0 then '' else 'Üser ' || n end`, 2),
    notes: orNull(`case when n % 4 = 0 then 'note ' || n else '' end`, 3),
    wechat: `case when n % 3 = 0 then 'wx_' || n when n % 3 = 1 then '' end`,
    allowed_groups: ALLOWED,
    created_at: AT,
    updated_at: LATER,
    deleted_at: `case when n % 10 = 5 then ${LATER} end`,
  });
}

/** No array, an empty one, ordinary ones, duplicates, NULL elements, a deleted group, groups that never were. */
const ALLOWED = `case n % 7 when 0 then null when 1 then '{}'::bigint[]
  when 2 then array[1 + n % ${GROUPS_OF_ROWS}, 1 + (n * 3) % ${GROUPS_OF_ROWS}]::bigint[]
  when 3 then array[5, 5, null]::bigint[] when 4 then array[10]::bigint[]
  when 5 then array[1000000 + n]::bigint[] else array[2, 10, 1000000 + n, null]::bigint[] end`;

/** Two programs wrote: one both forms, an older one the array only, which was every eleventh time. */
async function fillAllowedGroups(client: Client, series: Series, { users }: OriginalSize): Promise<void> {
  if (!series.has('user_allowed_groups')) return;
  if (!series.has('users', 'allowed_groups')) {
    await series.insert(
      'user_allowed_groups',
      users,
      { user_id: 'n', group_id: `1 + n % ${GROUPS_OF_ROWS}` },
      'n % 3 = 0',
    );
    await series.insert('orphan_allowed_groups_audit', 3, { user_id: 'n', group_id: '1000000 + n' });
    return;
  }
  const arrays = `from users u cross join lateral unnest(u.allowed_groups) as allowed (group_id)
    left join groups g on g.id = allowed.group_id`;
  await client.query(`insert into user_allowed_groups (user_id, group_id)
    select distinct u.id, g.id ${arrays} where g.id is not null and u.id % 11 <> 0`);
  if (!series.has('orphan_allowed_groups_audit')) return;
  await client.query(`insert into orphan_allowed_groups_audit (user_id, group_id)
    select distinct u.id, allowed.group_id ${arrays} where g.id is null and allowed.group_id is not null and u.id % 11 <> 0`);
}
