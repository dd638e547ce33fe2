import type { DataEntityManager } from 'tombstone';
import type { NewUsage } from 'tombstone/gateway';
import { mustCreateApiKey, mustCreateGroup, mustCreateUser } from './gateway.ts';
import { insertAccount, insertSubscription } from './gateway-rows.ts';

/** Everything that a request needs to be charged for. */
export interface Payer {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly accountId: string;
  readonly groupId: string;
  readonly subscriptionId: string;
}

export async function mustCreatePayer(em: DataEntityManager, balance = '100'): Promise<Payer> {
  const { id: userId } = await mustCreateUser(em, { balance });
  const { id: groupId } = await mustCreateGroup(em, { subscriptionType: 'subscription' });
  const { id: apiKeyId } = await mustCreateApiKey(em, { userId, groupId });
  const accountId = await insertAccount(em);
  const subscriptionId = await insertSubscription(em, { user_id: userId, group_id: groupId });
  return { userId, apiKeyId, accountId, groupId, subscriptionId };
}

/** A request that costs the user 0.0123456789 and lists at 0.02, unless `values` say something else. */
export function usageOf(payer: Payer, values: Partial<NewUsage> = {}): NewUsage {
  const { userId, apiKeyId, accountId, groupId } = payer;
  return {
    userId,
    apiKeyId,
    accountId,
    groupId,
    model: 'model-1',
    inputTokens: 10,
    outputTokens: 20,
    totalCost: '0.02',
    actualCost: '0.0123456789',
    ...values,
  };
}

/** The sums that must agree, as the database adds them. */
export async function sumsOf(
  em: DataEntityManager,
  payer: Payer,
): Promise<{ logs: string; entries: string; charged: string; balance: string; daily: string }> {
  const sql = `select (select count(*) from usage_logs where user_id = ?)::text as logs,
    (select count(*) from billing_usage_entries where user_id = ?)::text as entries,
    (select coalesce(sum(delta_usd), 0)::numeric(20,10) from billing_usage_entries where user_id = ? and applied)::text as charged,
    (select balance::text from users where id = ?) as balance,
    (select daily_usage_usd::text from user_subscriptions where id = ?) as daily
    /* soft-delete: all rows, because a test looks at what deleted ones were charged */`;
  const { userId, subscriptionId } = payer;
  const [row] = await em.execute(sql, [userId, userId, userId, userId, subscriptionId]);
  return row as never;
}
