import { raw } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError, SoftDeletedRowError } from '../../kit/errors/index.ts';
import { checkId, checkIds, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, runPrepared, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { checkedChanges, checkedColumns, newColumns } from './api-key-input.ts';
import {
  type ApiKeyBulkChange,
  type ApiKeyChange,
  type ApiKeyRecord,
  apiKeyRecord,
  type ApiKeyWithRelations,
  type NewApiKey,
  withKey,
} from './api-key-record.ts';
import { ApiKey } from './api-key.entity.ts';
import { type AuthRow, authSnapshot, type AuthSnapshot, BY_KEY_FOR_AUTH } from './auth-snapshot.ts';
import { clearGroup, keepsGroup, lockGroup } from './key-group.ts';
import { readKey, readKeys, readKeysById } from './keys-with-relations.ts';

// FOR SHARE makes a soft delete of the owner wait; FOR KEY SHARE would let it pass, as it changes no key.
const LOCK_OWNER = 'select id from users where id = ? and deleted_at is null for share';
const KEY_TAKEN = `select exists (select from api_keys where key = ?) as taken
  /* soft-delete: all rows, because the unique on key is full and a deleted key keeps its value */`;

/** API keys. Every method joins the transaction of the entity manager that it was given. */
export class ApiKeyRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /**
   * Inserts a key for a live user, and into a live group where one is given.
   *
   * @throws ConflictError API_KEY_EXISTS, also when a deleted key holds the value; NotFoundError USER_NOT_FOUND,
   *   GROUP_NOT_FOUND; InvalidInputError VALIDATION.
   */
  async create(apiKey: NewApiKey): Promise<ApiKeyRecord> {
    const columns = newColumns(apiKey);
    const user = checkId('userId', apiKey.userId);
    const work = async (em: DataEntityManager): Promise<ApiKeyRecord> => {
      // The group first, as everyone does who locks both: its deletion may write users.
      await lockGroup(em, columns['group']);
      const owner = await em.execute<unknown[]>(LOCK_OWNER, [user]);
      if (owner.length === 0) throw new NotFoundError('User', gatewayErrors);
      const created = em.create(ApiKey, { ...columns, user } as never);
      await em.flush();
      return apiKeyRecord(created);
    };
    // It holds owner and group while it waits for another key of the same value.
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  /** With owner and group. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getById(id: Id): Promise<ApiKeyWithRelations> {
    return orFail(await this.findById(id));
  }

  /** Null when there is no live key with this id. */
  async findById(id: Id): Promise<ApiKeyWithRelations | null> {
    return readKey(this.#em, 'id', checkId('id', id));
  }

  /** The keys alone, in the order of the ids, each once; one prepared statement. Missing ones are left out. */
  async getByIds(ids: readonly Id[]): Promise<ApiKeyRecord[]> {
    return readKeysById(this.#em, ids);
  }

  /** With owner and group. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getByKey(key: string): Promise<ApiKeyWithRelations> {
    return orFail(await this.findByKey(key));
  }

  /** Null when there is no live key with this value. */
  async findByKey(key: string): Promise<ApiKeyWithRelations | null> {
    return readKey(this.#em, 'key', checkText('key', key));
  }

  /** Two columns and no more; `key` is not enumerable. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getKeyAndOwnerId(id: Id): Promise<{ key: string; userId: Id }> {
    return orFail(await this.findKeyAndOwnerId(id));
  }

  /** As {@link getKeyAndOwnerId}, with null for an unknown or deleted key. */
  async findKeyAndOwnerId(id: Id): Promise<{ key: string; userId: Id } | null> {
    const options = { fields: ['key', 'user'] as const };
    const found = await this.#reader().findOne(ApiKey, checkId('id', id), options);
    return found && withKey({ userId: found.user.id }, found.key);
  }

  /** The hot path: one prepared statement. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getByKeyForAuth(key: string): Promise<AuthSnapshot> {
    return orFail(await this.findByKeyForAuth(key));
  }

  /** As {@link getByKeyForAuth}, with null for an unknown or deleted key. */
  async findByKeyForAuth(key: string): Promise<AuthSnapshot | null> {
    const [row] = await runPrepared<AuthRow>(this.#em, BY_KEY_FOR_AUTH, [checkText('key', key)]);
    return row ? authSnapshot(row) : null;
  }

  /**
   * Writes what is given in one update, and answers the instant that was written.
   *
   * @throws NotFoundError API_KEY_NOT_FOUND, GROUP_NOT_FOUND; InvalidInputError VALIDATION.
   */
  async update(change: ApiKeyChange): Promise<{ updatedAt: Date }> {
    const { key: _never, ...columns } = checkedColumns(change);
    const id = checkId('id', change.id);
    return retryTransaction(this.#em, async (em) => {
      const { group: _same, ...others } = columns;
      const written = (await keepsGroup(em, id, columns['group'])) ? others : columns;
      const updated = em.createQueryBuilder(ApiKey).update({ ...written, updatedAt: raw('now()') });
      const { row } = await updated
        .where({ id })
        .returning('updatedAt' as never)
        .execute<{ row?: { updated_at: Date } }>('run', false);
      if (!row) throw notFound();
      return { updatedAt: new Date(row.updated_at) };
    });
  }

  /**
   * Writes what is given for many keys, each with values of its own, by one prepared statement: all of them or none. All changes
   * have the same properties. Of none nothing is sent.
   *
   * @throws NotFoundError API_KEY_NOT_FOUND, whose `cause` names the keys; InvalidInputError VALIDATION.
   */
  async updateMany(changes: readonly ApiKeyBulkChange[]): Promise<void> {
    const rows = checkedChanges(changes);
    await this.#em
      .getRepository(ApiKey)
      .updateMany(rows)
      .catch((error: unknown) => {
        throw error instanceof SoftDeletedRowError ? Object.assign(notFound(), { cause: error }) : error;
      });
  }

  /** Soft-deletes; a second call succeeds. @throws NotFoundError when the id never existed. */
  async delete(id: Id): Promise<void> {
    const key = checkId('id', id);
    if (await this.#em.getRepository(ApiKey).softDelete(key)) return;
    const existed = await this.#em.skipSoftDelete((all) => all.count(ApiKey, { id: key }));
    if (existed === 0) throw notFound();
  }

  /** Keys of a user, newest first, each with its group. */
  async listByUserId(userId: Id, page: PageRequest = {}): Promise<Page<ApiKeyWithRelations>> {
    return this.#page('userId', userId, page);
  }

  /** Keys of a group, newest first, each with its owner. */
  async listByGroupId(groupId: Id, page: PageRequest = {}): Promise<Page<ApiKeyWithRelations>> {
    return this.#page('groupId', groupId, page);
  }

  /** Keys whose name holds the keyword, newest first, of one user or of all; the limit is kept between 1 and 100. */
  async searchApiKeys(userId: Id | undefined, keyword: string, limit: number): Promise<ApiKeyRecord[]> {
    const user = checkOptionalId('userId', userId);
    const name = keyword ? { name: { $ilike: containsPattern(checkText('keyword', keyword)) } } : {};
    const found = await this.#reader().find(
      ApiKey,
      { ...(user && { user }), ...name },
      {
        orderBy: { id: 'desc' },
        limit: Math.min(Math.max(Math.floor(limit) || 1, 1), 100),
      },
    );
    return found.map(apiKeyRecord);
  }

  /** Those of the ids that are live keys of the user, ascending. */
  async verifyOwnership(userId: Id, ids: readonly Id[]): Promise<Id[]> {
    const user = checkId('userId', userId);
    const asked = checkIds('ids', ids);
    if (asked.length === 0) return [];
    const options = { fields: ['id'] as const, orderBy: { id: 'asc' as const } };
    const found = await this.#reader().find(ApiKey, { user, id: { $in: asked } }, options);
    return found.map((apiKey) => apiKey.id);
  }

  /** Live keys of a user. */
  async countByUserId(userId: Id): Promise<number> {
    return this.#em.count(ApiKey, { user: checkId('userId', userId) });
  }

  /** Live keys of a group. */
  async countByGroupId(groupId: Id): Promise<number> {
    return this.#em.count(ApiKey, { group: checkId('groupId', groupId) });
  }

  /** Whether the value is or was in use: a deleted key keeps its value. */
  async existsByKey(key: string): Promise<boolean> {
    const [row] = await this.#em.execute<{ taken: boolean }[]>(KEY_TAKEN, [checkText('key', key)]);
    return row?.taken === true;
  }

  /** Takes live keys out of a group; answers how many. */
  async clearGroupIdByGroupId(groupId: Id): Promise<number> {
    return clearGroup(this.#em, checkId('groupId', groupId));
  }

  /** Values of a user's live keys, to drop them from a cache. */
  async listKeysByUserId(userId: Id): Promise<string[]> {
    return this.#keysOf({ user: checkId('userId', userId) });
  }

  /** Values of a group's live keys, to drop them from a cache. */
  async listKeysByGroupId(groupId: Id): Promise<string[]> {
    return this.#keysOf({ group: checkId('groupId', groupId) });
  }

  async #keysOf(where: object): Promise<string[]> {
    const options = { fields: ['key'] as const, orderBy: { id: 'asc' as const } };
    const found = await this.#reader().find(ApiKey, where, options);
    return found.map((apiKey) => apiKey.key);
  }

  async #page(by: 'userId' | 'groupId', id: Id, request: PageRequest): Promise<Page<ApiKeyWithRelations>> {
    const { page, ...range } = clampPage(request);
    const [items, total] = await readKeys(this.#em, by, checkId(by, id), range);
    return pageOf(items, total, { page, limit: range.limit });
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

function orFail<T>(found: T | null): T {
  if (found) return found;
  throw notFound();
}

function notFound(): NotFoundError {
  return new NotFoundError('ApiKey', gatewayErrors);
}
