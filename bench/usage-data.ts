import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { NewUsage } from '../src/gateway/index.ts';

/** Whom a log names; all of them are live. */
export interface Payer {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly groupId: string;
  readonly subscriptionId: string;
  readonly accountId: string;
}

const ACCOUNTS = 100;

/** Users are rich enough for any number of charges, as the balance may go below zero but its column has an end. */
const PAYERS = `with added as (
    insert into accounts (name, platform, type)
    select 'usage ' || n, 'anthropic', 'oauth' from generate_series(1, ${ACCOUNTS}) n returning id
  ), a as (select array_agg(id) as ids from added)
  select s.user_id as "userId", k.id as "apiKeyId", s.group_id as "groupId", s.id as "subscriptionId",
    a.ids[1 + s.id % ${ACCOUNTS}] as "accountId"
  from a, user_subscriptions s
  join users u on u.id = s.user_id and u.deleted_at is null
  join groups g on g.id = s.group_id and g.deleted_at is null
  join lateral (select min(id) as id from api_keys where user_id = u.id and deleted_at is null) k on k.id is not null
  where s.deleted_at is null and s.id in (select min(id) from user_subscriptions where deleted_at is null group by user_id)
  order by s.user_id limit 4000`;

/** Live payers, each user once. Adds the accounts that they use. */
export async function payersOf(pool: Pool): Promise<Payer[]> {
  return (await pool.query<Payer>(PAYERS)).rows;
}

const MODELS = ['claude-sonnet', 'claude-opus', 'claude-haiku', 'gpt', 'gemini'] as const;

/** A request that was never recorded; every fifth one is paid by the subscription. */
export function newUsage(payer: Payer, n: number): NewUsage & { readonly requestId: string } {
  const billingType = n % 5 === 0 ? 1 : 0;
  const { userId, apiKeyId, groupId, accountId } = payer;
  return {
    userId,
    apiKeyId,
    accountId,
    groupId,
    subscriptionId: billingType === 1 ? payer.subscriptionId : null,
    requestId: randomUUID(),
    model: MODELS[n % MODELS.length] ?? '',
    inputTokens: 1000 + (n % 977),
    outputTokens: 100 + (n % 89),
    cacheCreationTokens: n % 500,
    cacheReadTokens: (n * 7) % 20_000,
    inputCost: '0.0030000000',
    outputCost: '0.0015000001',
    cacheCreationCost: '0.0000012500',
    cacheReadCost: '0.0000003000',
    totalCost: '0.0045015501',
    actualCost: '0.0054018601',
    rateMultiplier: '1.2',
    billingType,
    stream: n % 3 !== 0,
    durationMs: 900 + (n % 4000),
    firstTokenMs: 300 + (n % 500),
    userAgent: 'claude-cli/1.0.83 (external, cli)',
    ipAddress: '203.0.113.7',
  };
}
