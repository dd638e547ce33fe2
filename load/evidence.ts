import type { Client } from 'pg';
import type { Heard } from './background/outbox-reader.ts';
import type { Seen } from './sightings.ts';
import type { Told } from './told.ts';

/** Where the invariants are checked: the database after a run, with what the callers were told beside it, and what they saw. */
export interface Evidence {
  rows<T extends object>(sql: string, values?: readonly unknown[]): Promise<T[]>;
  readonly told: readonly Told[];
  readonly seen: readonly Seen[];
}

/** A schema of its own, so that the sums are made by the database, exactly and in one statement. */
const BEFORE = [
  'create schema load',
  `create table load.start as select (select coalesce(max(id), 0) from usage_logs) as log_id,
    (select coalesce(max(id), 0) from billing_usage_entries) as entry_id, (select max(id) from api_keys) as last_api_key_id,
    (select max(id) from users) as last_user_id, (select max(id) from accounts) as last_account_id
    /* soft-delete: all rows, because ids are counted */`,
  `create table load.balances as select id, balance from users
    /* soft-delete: all rows, because a deleted user may not be charged either */`,
  `create table load.counters as select id, daily_usage_usd as daily, weekly_usage_usd as weekly, monthly_usage_usd as monthly
    from user_subscriptions /* soft-delete: all rows, because a deleted one may not be charged either */`,
  `create table load.dead as
    select 'apiKey' as kind, id from api_keys where deleted_at is not null
    union all select 'user', id from users where deleted_at is not null
    union all select 'group', id from groups where deleted_at is not null
    union all select 'account', id from accounts where deleted_at is not null
    union all select 'proxy', id from proxies where deleted_at is not null
    union all select 'subscription', id from user_subscriptions where deleted_at is not null`,
  `create table load.charges (request_id text, api_key_id bigint, log_id bigint, inserted boolean, amount numeric, applied boolean)`,
  'create table load.top_ups (user_id bigint, amount numeric)',
  'create table load.heard (consumer text, place int, txid xid8, event_id bigint)',
  'create table load.pruned (events bigint)',
];

/** Writes down what the database holds before anybody calls. */
export async function recordStart(client: Client): Promise<void> {
  for (const statement of BEFORE) await client.query(statement);
}

const CHARGES = `insert into load.charges select * from unnest
  ($1::text[], $2::bigint[], $3::bigint[], $4::boolean[], $5::numeric[], $6::boolean[])`;
const TOP_UPS =
  'insert into load.top_ups select id, units / 1e10 from unnest($1::bigint[], $2::numeric[]) as t (id, units)';
const HEARD = `insert into load.heard select $1, t.place, t.txid, t.id
  from unnest($2::text[]::xid8[], $3::bigint[]) with ordinality as t (txid, id, place)`;

/** Puts what the callers were told beside what the database holds. */
export async function recordTold(
  client: Client,
  told: readonly Told[],
  heard: readonly Heard[],
): Promise<void> {
  for (const { charges, topUps } of told) {
    const column = <T>(of: (charge: (typeof charges)[number]) => T): T[] => charges.map(of);
    await client.query(CHARGES, [
      column((charge) => charge.requestId),
      column((charge) => charge.apiKeyId),
      column((charge) => charge.logId),
      column((charge) => charge.inserted),
      column((charge) => charge.amount),
      column((charge) => charge.applied),
    ]);
    await client.query(TOP_UPS, [[...topUps.keys()], [...topUps.values()].map(String)]);
  }
  for (const { consumer, positions, pruned } of heard) {
    const columns = [positions.map(({ txid }) => txid), positions.map(({ id }) => id)];
    await client.query(HEARD, [consumer, ...columns]);
    await client.query('insert into load.pruned values ($1)', [pruned]);
  }
}

/** Asks the database of a run. */
export function evidenceOf(client: Client, told: readonly Told[], seen: readonly Seen[]): Evidence {
  return {
    told,
    seen,
    rows: async <T extends object>(sql: string, values: readonly unknown[] = []): Promise<T[]> =>
      (await client.query<T>(sql, [...values])).rows,
  };
}
