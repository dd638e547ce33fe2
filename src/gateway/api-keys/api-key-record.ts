import type { Id } from '../../kit/columns/index.ts';
import type { GroupRecord } from '../groups/group-record.ts';
import type { UserRecord } from '../users/user-record.ts';
import type { ApiKey } from './api-key.entity.ts';

/** A key as the repository answers. `key` itself is not enumerable: it is in no log and no JSON of the record. */
export interface ApiKeyRecord {
  readonly id: Id;
  readonly userId: Id;
  readonly key: string;
  readonly name: string;
  readonly groupId: Id | null;
  readonly status: string;
  /** IP addresses and CIDR ranges; null is none. */
  readonly ipWhitelist: readonly string[] | null;
  readonly ipBlacklist: readonly string[] | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The owner of a key: what a user record has, without the hash of the password and without what is loaded beside the row. */
export type KeyOwner = Pick<
  UserRecord,
  | 'id'
  | 'email'
  | 'username'
  | 'notes'
  | 'role'
  | 'balance'
  | 'concurrency'
  | 'status'
  | 'createdAt'
  | 'updatedAt'
>;

/** A key with its owner and its group, each null when it is deleted (or, for the group, not there). */
export interface ApiKeyWithRelations extends ApiKeyRecord {
  readonly user: KeyOwner | null;
  readonly group: GroupRecord | null;
}

export interface NewApiKey {
  readonly userId: Id;
  readonly key: string;
  readonly name: string;
  readonly groupId?: Id | null;
  readonly status?: string;
  readonly ipWhitelist?: readonly string[] | null;
  readonly ipBlacklist?: readonly string[] | null;
}

/** What is left out stays; null, or an empty list, clears. Key and owner never change. */
export type ApiKeyChange = { readonly id: Id } & Partial<Omit<NewApiKey, 'userId' | 'key'>>;

/** As {@link ApiKeyChange}, without the group: a key changes it by itself, because its new group is locked. */
export type ApiKeyBulkChange = Omit<ApiKeyChange, 'groupId'>;

export function apiKeyRecord(apiKey: ApiKey): ApiKeyRecord {
  const { id, name, status, createdAt, updatedAt } = apiKey;
  const record = {
    id,
    name,
    status,
    createdAt,
    updatedAt,
    userId: apiKey.user.id,
    groupId: apiKey.group?.id ?? null,
    ipWhitelist: apiKey.ipWhitelist ?? null,
    ipBlacklist: apiKey.ipBlacklist ?? null,
  };
  return withKey(record, apiKey.key);
}

/** Gives an object the value of a key as a property that no JSON, no log and no copy shows. */
export function withKey<T extends object>(record: T, key: string): T & { readonly key: string } {
  return Object.defineProperty(record, 'key', { value: key }) as T & { readonly key: string };
}
