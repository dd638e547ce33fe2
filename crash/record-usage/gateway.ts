import { MikroORM } from '@mikro-orm/core';
import { defineDataConfig } from 'tombstone';
import {
  gateway,
  gatewayUsagePartitions,
  type NewUsage,
  recordUsage,
  recordUsages,
  type UsageLogsOptions,
} from 'tombstone/gateway';

/** What the trial needs of a gateway. */
export interface OpenGateway {
  record(usage: NewUsage): Promise<unknown>;
  recordBatch(usages: readonly NewUsage[]): Promise<unknown>;
  rows<T extends object>(sql: string, params?: readonly unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

/** What the trials' `usage_logs` is. */
export type Form = NonNullable<UsageLogsOptions['usageLogs']>;

/** The modules whose migrations make that form. */
export const modulesOf = (form: Form): (typeof gateway)[] =>
  form === 'one-table' ? [gateway] : [gateway, gatewayUsagePartitions];

export async function openGateway(
  clientUrl: string,
  connections: number,
  usageLogs: Form,
): Promise<OpenGateway> {
  const pool = { min: connections, max: connections };
  const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules: modulesOf(usageLogs), pool }));
  return {
    record: (usage) => recordUsage(orm.em.fork(), usage, { usageLogs }),
    recordBatch: (usages) => recordUsages(orm.em.fork(), usages, { usageLogs }),
    rows: (sql, params = []) => orm.em.fork().skipSoftDelete((all) => all.execute(sql, [...params])),
    close: () => orm.close(),
  };
}
