import { MikroORM } from '@mikro-orm/core';
import { defineDataConfig } from 'tombstone';
import { gateway, type NewUsage, recordUsage, recordUsages } from 'tombstone/gateway';

/** What the trial needs of a gateway. */
export interface OpenGateway {
  record(usage: NewUsage): Promise<unknown>;
  recordBatch(usages: readonly NewUsage[]): Promise<unknown>;
  rows<T extends object>(sql: string, params?: readonly unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

export async function openGateway(clientUrl: string, connections: number): Promise<OpenGateway> {
  const pool = { min: connections, max: connections };
  const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules: [gateway], pool }));
  return {
    record: (usage) => recordUsage(orm.em.fork(), usage),
    recordBatch: (usages) => recordUsages(orm.em.fork(), usages),
    rows: (sql, params = []) => orm.em.fork().skipSoftDelete((all) => all.execute(sql, [...params])),
    close: () => orm.close(),
  };
}
