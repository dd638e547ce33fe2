import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories, type GroupRecord, type NewGroup } from 'tombstone/gateway';
import { insertAccount, insertBinding, insertSubscription } from './gateway-rows.ts';
import { type Gateway, mustCreateApiKey, mustCreateGroup, mustCreateUser } from './gateway.ts';

/** A group and the ids of what hangs on it. */
export interface GroupWithChildren {
  readonly group: GroupRecord;
  /** Has the group in its set, a live key, a deleted key and a live subscription. */
  readonly user: string;
  readonly liveKey: string;
  readonly deletedKey: string;
  readonly subscription: string;
  readonly account: string;
  /** Falls back to the group. */
  readonly dependent: string;
  readonly redeemCode: string;
}

/** A group sold by subscription, unless `values` say something else, with one of everything that may hang on it. */
export async function mustCreateGroupWithChildren(
  em: DataEntityManager,
  values: Partial<NewGroup> = {},
): Promise<GroupWithChildren> {
  const group = await mustCreateGroup(em, { subscriptionType: 'subscription', ...values });
  const user = (await mustCreateUser(em, { allowedGroups: [group.id] })).id;
  const liveKey = (await mustCreateApiKey(em, { userId: user, groupId: group.id })).id;
  const deletedKey = (await mustCreateApiKey(em, { userId: user, groupId: group.id })).id;
  await gatewayRepositories(em).apiKeys.delete(deletedKey);
  const subscription = await insertSubscription(em, { user_id: user, group_id: group.id });
  const account = await insertAccount(em);
  await insertBinding(em, account, group.id);
  const dependent = (await mustCreateGroup(em, { fallbackGroupId: group.id })).id;
  const code = 'insert into redeem_codes (code, value, group_id) values (?, 1, ?) returning id';
  const [row] = await em.execute<{ id: string }[]>(code, [`code ${group.id}`, group.id]);
  const redeemCode = row?.id ?? '';
  return { group, user, liveKey, deletedKey, subscription, account, dependent, redeemCode };
}

const TABLES = [
  'groups',
  'users',
  'api_keys',
  'user_subscriptions',
  'user_allowed_groups',
  'accounts',
  'account_groups',
  'redeem_codes',
  'scheduler_outbox',
];

/** Every row of every table around groups as text, dead rows too: equal before and after means that nothing changed. */
export async function contentOf(gateway: Gateway): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const table of TABLES) {
    const sql = `select string_agg(to_jsonb(t)::text, e'\\n' order by to_jsonb(t)::text) as text from ${table} t`;
    const [row] = await gateway.rows<{ text: string | null }>(sql);
    content[table] = row?.text ?? '';
  }
  return content;
}

const REFUSE = `create or replace function refuse() returns trigger language plpgsql as
  $$ begin raise exception 'refused by the test'; end $$`;

/** Makes the database refuse what the trigger fires on, such as `before delete on account_groups`, while `work` runs. */
export async function whileRefused<T>(gateway: Gateway, on: string, work: () => Promise<T>): Promise<T> {
  const table = / on (\w+)/.exec(on)?.[1];
  await gateway.rows(REFUSE);
  const kind = on.includes('deferred') ? 'constraint trigger' : 'trigger';
  const each = on.includes('deferred') ? 'row' : 'statement';
  await gateway.rows(`create ${kind} refuse ${on} for each ${each} execute function refuse()`);
  try {
    return await work();
  } finally {
    await gateway.rows(`drop trigger refuse on ${table}`);
  }
}

/** Waits until so many connections of the database wait for a lock. */
export async function untilWaiting(gateway: Gateway, count: number): Promise<void> {
  const sql = `select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  for (;;) {
    const [row] = await gateway.rows<{ waiting: number }>(sql);
    if ((row?.waiting ?? 0) >= count) return;
  }
}
