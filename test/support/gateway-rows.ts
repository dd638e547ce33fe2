import type { DataEntityManager } from 'tombstone';

let counter = 0;

async function insert(
  em: DataEntityManager,
  table: string,
  values: Record<string, unknown>,
): Promise<string> {
  const columns = Object.keys(values);
  const sql = `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')}) returning id`;
  const [row] = await em.execute<{ id: string }[]>(sql, Object.values(values));
  return row?.id ?? '';
}

/** The id of an account that was written by hand, for tests of what only refers to accounts. */
export async function insertAccount(
  em: DataEntityManager,
  values: Record<string, unknown> = {},
): Promise<string> {
  return insert(em, 'accounts', {
    name: `account ${(counter += 1)}`,
    platform: 'anthropic',
    type: 'oauth',
    ...values,
  });
}

/** Binds an account to a group by hand. */
export async function insertBinding(
  em: DataEntityManager,
  accountId: string,
  groupId: string,
  priority = 50,
): Promise<void> {
  const sql = 'insert into account_groups (account_id, group_id, priority) values (?, ?, ?)';
  await em.execute(sql, [accountId, groupId, priority], 'run');
}

/** The id of a subscription that was written by hand; it runs for 30 days unless `values` say something else. */
export async function insertSubscription(
  em: DataEntityManager,
  values: { user_id: string; group_id: string } & Record<string, unknown>,
): Promise<string> {
  const day = 24 * 60 * 60 * 1000;
  return insert(em, 'user_subscriptions', {
    starts_at: new Date(),
    expires_at: new Date(Date.now() + 30 * day),
    ...values,
  });
}

/** Types and payloads of the scheduler's events, oldest first. */
export async function storedEvents(
  em: DataEntityManager,
): Promise<{ event_type: string; account_id: string | null; group_id: string | null; payload: unknown }[]> {
  return em.execute('select event_type, account_id, group_id, payload from scheduler_outbox order by id');
}
