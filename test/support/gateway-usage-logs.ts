import type { DataEntityManager } from 'tombstone';
import { insertAccount, insertSubscription } from './gateway-rows.ts';
import { mustCreateApiKey, mustCreateGroup, mustCreateUser } from './gateway.ts';

/** A log as a test writes it; what is left out has the column's default, and the ids those of the world. */
export interface LogValues {
  readonly user_id?: string;
  readonly api_key_id?: string;
  readonly account_id?: string;
  readonly group_id?: string | null;
  readonly subscription_id?: string | null;
  readonly model?: string;
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly cache_creation_tokens?: number;
  readonly cache_read_tokens?: number;
  readonly total_cost?: string;
  readonly actual_cost?: string;
  readonly account_rate_multiplier?: string | null;
  readonly billing_type?: number;
  readonly stream?: boolean;
  readonly duration_ms?: number | null;
  readonly image_count?: number | null;
  readonly created_at?: string;
}

/** A user with a key, an account, a group and a subscription, for logs to name. */
export interface UsageWorld {
  readonly user_id: string;
  readonly api_key_id: string;
  readonly account_id: string;
  readonly group_id: string;
  readonly subscription_id: string;
}

export async function mustCreateUsageWorld(em: DataEntityManager): Promise<UsageWorld> {
  const user = (await mustCreateUser(em)).id;
  const group = (await mustCreateGroup(em)).id;
  return {
    user_id: user,
    api_key_id: (await mustCreateApiKey(em, { userId: user })).id,
    account_id: await insertAccount(em, { credentials: '{"token": "secret-token"}' }),
    group_id: group,
    subscription_id: await insertSubscription(em, { user_id: user, group_id: group }),
  };
}

/** Writes logs of a world, and answers their ids in the order of the values. */
export async function insertLogs(
  em: DataEntityManager,
  world: UsageWorld,
  logs: readonly LogValues[],
): Promise<string[]> {
  const ids: string[] = [];
  for (const log of logs) {
    const values = { model: 'claude', ...world, ...log };
    const columns = Object.keys(values);
    const marks = columns.map(() => '?').join(', ');
    const [row] = await em.execute<{ id: string }[]>(
      `insert into usage_logs (${columns.join(', ')}) values (${marks}) returning id`,
      Object.values(values),
    );
    ids.push(row?.id ?? '');
  }
  return ids;
}
