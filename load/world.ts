import type { DataEntityManager, Id } from 'tombstone';
import { HOT_USERS } from './fill.ts';

/** A key that a caller may present. */
export interface Key {
  readonly id: Id;
  readonly value: string;
  readonly userId: Id;
}

/** A group that lives for some seconds, and whether its subscriptions go with it. */
export interface ShortGroup {
  readonly id: Id;
  readonly isSubscribed: boolean;
}

/** What the callers of one process know; they take out what they delete. */
export interface World {
  /** Of the users that many charge at once; nobody deletes these. */
  readonly hotKeys: readonly Key[];
  /** Keys that can be served, some of them by a subscription. */
  readonly keys: Key[];
  /** Live keys of deleted owners or groups, or without a subscription. */
  readonly refusedKeys: readonly Key[];
  /** Keys that are known to be deleted. */
  readonly deadKeys: Key[];
  readonly users: Id[];
  readonly hotUsers: readonly Id[];
  readonly accounts: Id[];
  /** One of each group at least; nobody deletes these. */
  readonly keptAccounts: readonly Id[];
  readonly proxies: Id[];
  readonly groups: readonly Id[];
  readonly subscribedGroups: readonly Id[];
  readonly subscriptions: Id[];
  readonly hotSubscriptions: readonly Id[];
  readonly shortGroups: ShortGroup[];
  /** Keys of short groups, those that were deleted last among them. */
  readonly shortKeys: Key[];
}

const KEYS = `select k.id, k.key as value, k.user_id as "userId", u.username = any (?::text[]) as hot, k.deleted_at is not null as dead,
    g.id is not null and u.deleted_at is null and g.deleted_at is null and (g.subscription_type <> 'subscription' or exists (
      select from user_subscriptions s where s.user_id = k.user_id and s.group_id = k.group_id and s.deleted_at is null)) as served
  from api_keys k join users u on u.id = k.user_id left join groups g on g.id = k.group_id order by k.id
  /* soft-delete: all rows, because callers ask for deleted keys too */`;

const SUBSCRIPTIONS = `select s.id, u.username = any (?::text[]) as hot from user_subscriptions s
  join users u on u.id = s.user_id and u.deleted_at is null where s.deleted_at is null order by s.id`;

const hotNames = Array.from({ length: HOT_USERS }, (_, index) => `user ${index + 1}`);

/** Reads it, in the same order in every process. */
export async function readWorld(em: DataEntityManager): Promise<World> {
  const rows = <T>(sql: string, values: readonly unknown[] = []): Promise<T> =>
    em.skipSoftDelete((all) => all.execute(sql, [...values])) as Promise<T>;
  const ids = async (sql: string, values: readonly unknown[] = []): Promise<Id[]> =>
    (await rows<{ id: Id }[]>(sql, values)).map(({ id }) => id);
  const hot = `{${hotNames.map((name) => `"${name}"`).join(',')}}`;
  const keys = await rows<(Key & { hot: boolean; dead: boolean; served: boolean })[]>(KEYS, [hot]);
  const subscriptions = await rows<{ id: Id; hot: boolean }[]>(SUBSCRIPTIONS, [hot]);
  const live = keys.filter((key) => !key.dead);
  const hotKeys = live.filter((key) => key.hot && key.served);
  return {
    hotKeys,
    keys: live.filter((key) => !key.hot && key.served),
    refusedKeys: live.filter((key) => !key.served),
    deadKeys: keys.filter((key) => key.dead),
    users: await ids(
      `select id from users where deleted_at is null and username <> all (?::text[]) order by id`,
      [hot],
    ),
    hotUsers: [...new Set(hotKeys.map((key) => key.userId))],
    accounts: await ids("select id from accounts where deleted_at is null and extra = '{}' order by id"),
    keptAccounts: await ids(`select id from accounts where deleted_at is null and extra <> '{}' order by id`),
    proxies: await ids('select id from proxies where deleted_at is null order by id'),
    groups: await ids(
      `select id from groups where deleted_at is null and subscription_type = 'standard' and name <> 'default' order by id`,
    ),
    subscribedGroups: await ids(
      `select id from groups where deleted_at is null and subscription_type = 'subscription' order by id`,
    ),
    subscriptions: subscriptions.filter((row) => !row.hot).map(({ id }) => id),
    hotSubscriptions: subscriptions.filter((row) => row.hot).map(({ id }) => id),
    shortGroups: [],
    shortKeys: [],
  };
}
