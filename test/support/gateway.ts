import { MikroORM } from '@mikro-orm/core';
import type { Options } from '@mikro-orm/postgresql';
import { type DataConfigInput, type DataDriver, type DataEntityManager, defineDataConfig } from 'tombstone';
import {
  type ApiKeyRecord,
  gateway,
  gatewayRepositories,
  type GroupWithAccountCount,
  type UserRecord,
} from 'tombstone/gateway';
import { cloneTestDatabase } from './database.ts';
import { watched } from './watched.ts';

/** The migrated gateway on a database of its own. */
export interface Gateway {
  readonly orm: MikroORM<DataDriver, DataEntityManager>;
  readonly url: string;
  em(): DataEntityManager;
  /** Statements sent since the last call, transaction control left out. */
  statements(): string[];
  /** Rows as the tables hold them, dead ones too; what the test looks at and the module does not. */
  rows<T extends object>(sql: string, params?: readonly unknown[]): Promise<T[]>;
  /** Fails when a statement named a soft-deletable table without its predicate and without a waiver. */
  close(): Promise<void>;
}

export async function openGateway(
  options: Partial<Options> & Pick<DataConfigInput, 'replicaPatience'> & { url?: string } = {},
): Promise<Gateway> {
  const { url: given, ...extra } = options;
  const url = given ?? (await cloneTestDatabase()).url;
  const log: string[] = [];
  const config = defineDataConfig({
    clientUrl: url,
    modules: [gateway],
    debug: ['query', 'query-params'],
    colors: false,
    logger: (message: string) => log.push(message),
    ...extra,
  });
  const orm = await MikroORM.init(config);
  const close = watched(orm);
  return {
    orm,
    url,
    em: () => orm.em.fork(),
    statements: () =>
      log
        .splice(0)
        .map((line) => line.replace(/^\[query\] /, ''))
        .filter((sql) => !/^(begin|commit|rollback|savepoint)/.test(sql)),
    rows: (sql, params = []) => orm.em.fork().skipSoftDelete((all) => all.execute(sql, [...params])),
    close,
  };
}

let counter = 0;
const next = (): number => (counter += 1);

export async function mustCreateUser(
  em: DataEntityManager,
  values: Partial<Parameters<ReturnType<typeof gatewayRepositories>['users']['create']>[0]> = {},
): Promise<UserRecord> {
  const n = next();
  return gatewayRepositories(em).users.create({
    email: `user${n}@example.com`,
    passwordHash: `hash ${n}`,
    username: `user ${n}`,
    ...values,
  });
}

export async function mustCreateGroup(
  em: DataEntityManager,
  values: Partial<Parameters<ReturnType<typeof gatewayRepositories>['groups']['create']>[0]> = {},
): Promise<GroupWithAccountCount> {
  return gatewayRepositories(em).groups.create({ name: `group ${next()}`, ...values });
}

export async function mustCreateApiKey(
  em: DataEntityManager,
  values: Partial<Parameters<ReturnType<typeof gatewayRepositories>['apiKeys']['create']>[0]> = {},
): Promise<ApiKeyRecord> {
  const n = next();
  const userId = values.userId ?? (await mustCreateUser(em)).id;
  return gatewayRepositories(em).apiKeys.create({ key: `sk-test-${n}`, name: `key ${n}`, ...values, userId });
}
