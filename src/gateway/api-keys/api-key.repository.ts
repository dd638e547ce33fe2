import { raw } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { isDataError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkIds, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, runPrepared, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { gatewayErrors } from '../errors.ts';
import { Group } from '../groups/group.entity.ts';
import { lockLiveGroup } from '../groups/lock-group.ts';
import { User } from '../users/user.entity.ts';
import { checkedColumns } from './api-key-input.ts';
import {
  type ApiKeyChange,
  type ApiKeyRecord,
  apiKeyRecord,
  type ApiKeyWithRelations,
  type NewApiKey,
  withRelations,
} from './api-key-record.ts';
import { ApiKey } from './api-key.entity.ts';
import { type AuthRow, authSnapshot, type AuthSnapshot, BY_KEY_FOR_AUTH } from './auth-snapshot.ts';

// FOR SHARE makes a soft delete of the owner wait; FOR KEY SHARE would let it pass, as it changes no key.
const LOCK_OWNER = 'select id from users where id = ? and deleted_at is null for share';
const KEY_TAKEN = `select exists (select from api_keys where key = ?) as taken
  /* soft-delete: all rows, because the unique on key is full and a deleted key keeps its value */`;
const CLEAR_GROUP =
  'update api_keys set group_id = null, updated_at = now() where group_id = ? and deleted_at is null';

/** API keys. Every method joins the transaction of the entity manager that it was given. */
export class ApiKeyRepository {
  readonly #em: DataEntityManager;

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
    const columns = checkedColumns({ ...apiKey, key: apiKey?.key ?? '', name: apiKey?.name ?? '' });
    const user = checkId('userId', apiKey.userId);
    return unitOfWork(this.#em, async (em) => {
      // The group first, as everyone does who locks both: its deletion may write users.
      await lockGroup(em, columns['group']);
      const owner = await em.execute<unknown[]>(LOCK_OWNER, [user]);
      if (owner.length === 0) throw new NotFoundError('User', gatewayErrors);
      const created = em.create(ApiKey, { ...columns, user } as never);
      await em.flush();
      return apiKeyRecord(created);
    });
  }

  /** With owner and group. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getById(id: Id): Promise<ApiKeyWithRelations> {
    return this.#getOne({ id: checkId('id', id) });
  }

  /** With owner and group. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getByKey(key: string): Promise<ApiKeyWithRelations> {
    return this.#getOne({ key: checkText('key', key) });
  }

  /** Null when there is no live key with this value. */
  async findByKey(key: string): Promise<ApiKeyRecord | null> {
    const apiKey = await this.#reader().findOne(ApiKey, { key: checkText('key', key) });
    return apiKey ? apiKeyRecord(apiKey) : null;
  }

  /** Two columns and no more. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getKeyAndOwnerId(id: Id): Promise<{ key: string; userId: Id }> {
    const options = { fields: ['key', 'user'] as const };
    const found = await this.#reader().findOne(ApiKey, checkId('id', id), options);
    if (!found) throw notFound();
    return { key: found.key, userId: found.user.id };
  }

  /** The hot path: one prepared statement. @throws NotFoundError API_KEY_NOT_FOUND. */
  async getByKeyForAuth(key: string): Promise<AuthSnapshot> {
    const snapshot = await this.findByKeyForAuth(key);
    if (snapshot) return snapshot;
    throw notFound();
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
    return unitOfWork(this.#em, async (em) => {
      const { group: _same, ...others } = columns;
      const written = (await stays(em, id, columns['group'])) ? others : columns;
      const updated = em.createQueryBuilder(ApiKey).update({ ...written, updatedAt: raw('now()') });
      const { row } = await updated
        .where({ id })
        .returning('updatedAt' as never)
        .execute<{ row?: { updated_at: Date } }>('run', false);
      if (!row) throw notFound();
      return { updatedAt: new Date(row.updated_at) };
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
    return this.#page({ user: checkId('userId', userId) }, page);
  }

  /** Keys of a group, newest first, each with its owner. */
  async listByGroupId(groupId: Id, page: PageRequest = {}): Promise<Page<ApiKeyWithRelations>> {
    return this.#page({ group: checkId('groupId', groupId) }, page);
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
    const { affectedRows } = await this.#em.execute<{ affectedRows: number }>(
      CLEAR_GROUP,
      [checkId('groupId', groupId)],
      'run',
    );
    return affectedRows;
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

  async #getOne(where: object): Promise<ApiKeyWithRelations> {
    const apiKey = await this.#reader().findOne(ApiKey, where);
    if (!apiKey) throw notFound();
    const [found] = await this.#withRelations([apiKey]);
    return found ?? Promise.reject(notFound());
  }

  async #page(where: object, request: PageRequest): Promise<Page<ApiKeyWithRelations>> {
    const { limit, offset, page } = clampPage(request);
    const options = { orderBy: { id: 'desc' }, limit, offset } as const;
    const [found, total] = await this.#reader().findAndCount(ApiKey, where, options);
    return pageOf(await this.#withRelations(found), total, { page, limit });
  }

  /** Owners and groups in one statement each. Populating them would hide the id of a deleted one, which must stay visible. */
  async #withRelations(apiKeys: readonly ApiKey[]): Promise<ApiKeyWithRelations[]> {
    const records = apiKeys.map(apiKeyRecord);
    const users = await this.#byId(
      User,
      records.map((record) => record.userId),
    );
    const groups = await this.#byId(
      Group,
      records.flatMap((record) => record.groupId ?? []),
    );
    return records.map((record) =>
      withRelations(record, users.get(record.userId), groups.get(record.groupId ?? '')),
    );
  }

  async #byId<T extends User | Group>(entity: new () => T, ids: readonly Id[]): Promise<Map<Id, T>> {
    const distinct = [...new Set(ids)];
    if (distinct.length === 0) return new Map();
    const found = await this.#reader().find(entity, { id: { $in: distinct } });
    return new Map(found.map((row) => [row.id, row as T]));
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

async function lockGroup(em: DataEntityManager, id: unknown): Promise<void> {
  if (typeof id === 'string') await lockLiveGroup(em, id);
}

/**
 * Locks the group that a key shall get. A deleted one is refused, unless the key has it already: then it stays, and is not
 * written, because it may be cleared in between.
 */
async function stays(em: DataEntityManager, id: Id, group: unknown): Promise<boolean> {
  try {
    await lockGroup(em, group);
    return false;
  } catch (error) {
    const known =
      isDataError(error, 'GROUP_NOT_FOUND') && (await em.count(ApiKey, { id, group: group as Id }));
    if (!known) throw error;
    return true;
  }
}

function notFound(): NotFoundError {
  return new NotFoundError('ApiKey', gatewayErrors);
}
