import type { DataEntityManager } from 'tombstone';
import { type AccountRecord, gatewayRepositories, type NewAccount } from 'tombstone/gateway';
import type { Gateway } from './gateway.ts';

let counter = 0;

export async function mustCreateAccount(
  em: DataEntityManager,
  values: Partial<NewAccount> = {},
): Promise<AccountRecord> {
  const named = { name: `account ${(counter += 1)}`, platform: 'anthropic', type: 'oauth' } as const;
  return gatewayRepositories(em).accounts.create({ ...named, ...values });
}

/** The events that are stored while `work` runs, oldest first. */
export async function eventsOf(gateway: Gateway, work: () => Promise<unknown>): Promise<object[]> {
  const last = 'select coalesce(max(id), 0) as id from scheduler_outbox';
  const [before] = await gateway.rows<{ id: string }>(last);
  await work();
  return gateway.rows(
    'select event_type, account_id, group_id, payload from scheduler_outbox where id > ? order by id',
    [before?.id],
  );
}
