import { setTimeout as sleep } from 'node:timers/promises';
import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories, type NewProxy, type ProxyRecord } from 'tombstone/gateway';
import type { Gateway } from './gateway.ts';

let counter = 0;

export async function mustCreateProxy(
  em: DataEntityManager,
  values: Partial<NewProxy> = {},
): Promise<ProxyRecord> {
  const named = {
    name: `proxy ${(counter += 1)}`,
    protocol: 'http',
    host: 'proxy.test',
    port: 8080,
  } as const;
  return gatewayRepositories(em).proxies.create({ ...named, ...values });
}

/** Until as many sessions of this database wait for a lock. */
export async function untilWaiting(gateway: Gateway, sessions: number): Promise<void> {
  const sql = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await gateway.rows(sql)).length < sessions) await sleep(5);
}
