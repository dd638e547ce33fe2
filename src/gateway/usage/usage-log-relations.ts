import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { Account } from '../accounts/account.entity.ts';
import { ApiKey } from '../api-keys/api-key.entity.ts';
import { Group } from '../groups/group.entity.ts';
import { UserSubscription } from '../subscriptions/user-subscription.entity.ts';
import { User } from '../users/user.entity.ts';
import type { UsageLogRecord } from './usage-log-record.ts';

/** What a list of logs shows of what they name: no password, no key value and no credentials are read. */
export interface UsageLogRelations {
  readonly user: Pick<User, 'id' | 'email' | 'username' | 'role' | 'status'> | null;
  readonly apiKey: Pick<ApiKey, 'id' | 'name' | 'status'> | null;
  readonly account: Pick<Account, 'id' | 'name' | 'platform' | 'type' | 'status'> | null;
  readonly group: Pick<
    Group,
    'id' | 'name' | 'platform' | 'status' | 'subscriptionType' | 'rateMultiplier'
  > | null;
  readonly subscription: Pick<UserSubscription, 'id' | 'status' | 'startsAt' | 'expiresAt'> | null;
}

/** A log with what it names, each null when it is deleted (or not there, for group and subscription). */
export type UsageLogWithRelations = UsageLogRecord & UsageLogRelations;

/** Adds the live rows that the logs name, in one statement for each of the five tables that is named at all. */
export async function withRelations(
  em: DataEntityManager,
  logs: readonly UsageLogRecord[],
): Promise<UsageLogWithRelations[]> {
  const ids = (name: 'userId' | 'apiKeyId' | 'accountId' | 'groupId' | 'subscriptionId') =>
    logs.flatMap((log) => log[name] ?? []);
  const users = await read(em, User, ids('userId'), ['id', 'email', 'username', 'role', 'status']);
  const apiKeys = await read(em, ApiKey, ids('apiKeyId'), ['id', 'name', 'status']);
  const accounts = await read(em, Account, ids('accountId'), ['id', 'name', 'platform', 'type', 'status']);
  const groupFields = ['id', 'name', 'platform', 'status', 'subscriptionType', 'rateMultiplier'] as const;
  const groups = await read(em, Group, ids('groupId'), groupFields);
  const subscriptionFields = ['id', 'status', 'startsAt', 'expiresAt'] as const;
  const subscriptions = await read(em, UserSubscription, ids('subscriptionId'), subscriptionFields);
  return logs.map((log) => ({
    ...log,
    user: users.get(log.userId) ?? null,
    apiKey: apiKeys.get(log.apiKeyId) ?? null,
    account: accounts.get(log.accountId) ?? null,
    group: groups.get(log.groupId ?? '') ?? null,
    subscription: subscriptions.get(log.subscriptionId ?? '') ?? null,
  }));
}

/** Populating the logs would need entities of them, and would hide the ids of deleted rows. */
async function read<T extends { id: Id }, K extends keyof T & string>(
  em: DataEntityManager,
  entity: new () => T,
  ids: readonly Id[],
  fields: readonly K[],
): Promise<Map<Id, Pick<T, K>>> {
  if (ids.length === 0) return new Map();
  const where = { id: { $in: [...new Set(ids)] } };
  const rows = (await em.find(entity, where, { fields: fields as never })) as unknown as T[];
  return new Map(rows.map((row) => [row.id, pick(row, fields)]));
}

function pick<T, K extends keyof T>(row: T, fields: readonly K[]): Pick<T, K> {
  return Object.fromEntries(fields.map((field) => [field, row[field]])) as Pick<T, K>;
}
