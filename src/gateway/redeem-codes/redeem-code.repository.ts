import { LockMode } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import { checkGiven, checkId, checkOneOf, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { groupsById } from '../groups/groups-by-id.ts';
import { lockLiveUser } from '../users/lock-user.ts';
import { usersById } from '../users/users-by-id.ts';
import { insertRedeemCodes, lockTargets } from './insert-redeem-codes.ts';
import { checkedColumns, checkedNew } from './redeem-code-input.ts';
import {
  type NewRedeemCode,
  REDEEM_STATUSES,
  REDEEM_TYPES,
  type RedeemCodeChange,
  type RedeemCodeFilters,
  type RedeemCodeRecord,
  redeemCodeRecord,
  type RedeemCodeWithGroup,
  type RedeemCodeWithRelations,
} from './redeem-code-record.ts';
import { RedeemCode } from './redeem-code.entity.ts';
import { useRedeemCode } from './use-redeem-code.ts';

const LARGEST_HISTORY = 100;

/** Redeem codes. Every method joins the transaction of the entity manager that it was given. */
export class RedeemCodeRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /**
   * Inserts a code, for a live group where one is given.
   *
   * @throws ConflictError REDEEM_CODE_EXISTS; NotFoundError GROUP_NOT_FOUND, USER_NOT_FOUND; InvalidInputError VALIDATION.
   */
  async create(code: NewRedeemCode): Promise<RedeemCodeRecord> {
    const [created] = await this.#insert([checkedNew(code)]);
    return found(created ?? null);
  }

  /** Inserts all codes in one statement, or none; answers them in their order. Throws as {@link create} does. */
  async createBatch(codes: readonly NewRedeemCode[]): Promise<RedeemCodeRecord[]> {
    if (!Array.isArray(codes)) throw new InvalidInputError('codes', 'be a list');
    return this.#insert(codes.map(checkedNew));
  }

  /** @throws NotFoundError REDEEM_CODE_NOT_FOUND. */
  async getById(id: Id): Promise<RedeemCodeRecord> {
    return found(await this.findById(id));
  }

  /** Null when there is no code with this id. */
  async findById(id: Id): Promise<RedeemCodeRecord | null> {
    return this.#findOne({ id: checkId('id', id) });
  }

  /** The code is compared exactly. @throws NotFoundError REDEEM_CODE_NOT_FOUND. */
  async getByCode(code: string): Promise<RedeemCodeRecord> {
    return found(await this.findByCode(code));
  }

  /** Null when there is no such code. */
  async findByCode(code: string): Promise<RedeemCodeRecord | null> {
    return this.#findOne({ code: checkText('code', code) });
  }

  /**
   * Writes the columns that differ; null clears user, instant of use, notes and group.
   *
   * @throws NotFoundError REDEEM_CODE_NOT_FOUND, GROUP_NOT_FOUND, USER_NOT_FOUND; ConflictError REDEEM_CODE_EXISTS;
   *   InvalidInputError VALIDATION.
   */
  async update(change: RedeemCodeChange): Promise<RedeemCodeRecord> {
    const { groupId, ...columns } = checkedColumns(change);
    const id = checkId('id', change.id);
    const work = async (em: DataEntityManager): Promise<RedeemCodeRecord> => {
      // The code, its group and its user, in the order of `redeem`. What was deleted while this waited is not found.
      const row = await em.findOneOrFail(RedeemCode, id, { lockMode: LockMode.PESSIMISTIC_WRITE });
      const { groupId: group, usedBy } = redeemCodeRecord(row);
      // A deleted target stays where it is already, and cannot be given anew.
      await lockTargets(em, {
        groupId: groupId === group ? null : groupId,
        usedBy: columns.usedBy === usedBy ? null : columns.usedBy,
      });
      em.assign(row, { ...columns, ...(groupId !== undefined && { group: groupId }) } as never);
      await em.flush();
      await em.refresh(row);
      return redeemCodeRecord(row);
    };
    // Two codes that get each other's text wait for one another.
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  /** Removes the row; a code that is not there is a success. */
  async delete(id: Id): Promise<void> {
    await this.#em.nativeDelete(RedeemCode, { id: checkId('id', id) });
  }

  /**
   * Marks an unused code as used by a live user; of several calls at once one does. It gives the user nothing: see `redeem`.
   *
   * @throws NotFoundError REDEEM_CODE_NOT_FOUND, USER_NOT_FOUND; RuleError REDEEM_CODE_USED.
   */
  async use(id: Id, userId: Id): Promise<RedeemCodeRecord> {
    const [code, user] = [checkId('id', id), checkId('userId', userId)];
    return retryTransaction(this.#em, async (tx) => {
      const used = await useRedeemCode(tx, { id: code }, user);
      // The user may have been deleted while the update waited for the code.
      await lockLiveUser(tx, user);
      return used;
    });
  }

  /** Newest first, each with user and group. */
  async list(page: PageRequest = {}): Promise<Page<RedeemCodeWithRelations>> {
    return this.listWithFilters(page, {});
  }

  /** Newest first, each with user and group; four statements whatever the size of the page. */
  async listWithFilters(
    request: PageRequest,
    filters: RedeemCodeFilters,
  ): Promise<Page<RedeemCodeWithRelations>> {
    const { limit, offset, page } = clampPage(request);
    const options = { orderBy: { id: 'desc' }, limit, offset } as const;
    const [rows, total] = await this.#reader().findAndCount(RedeemCode, whereOf(filters), options);
    return pageOf(await this.#withRelations(rows), total, { page, limit });
  }

  /** What a user has used, the latest first, each with its group; 10 codes unless told, at most 100. */
  async listByUser(userId: Id, limit = 0): Promise<RedeemCodeWithGroup[]> {
    const usedBy = checkId('userId', userId);
    const rows = await this.#reader().find(
      RedeemCode,
      { usedBy },
      {
        orderBy: { usedAt: 'desc nulls last', id: 'desc' },
        limit: limit >= 1 ? Math.min(Math.floor(limit), LARGEST_HISTORY) : 10,
      },
    );
    return this.#withGroups(rows.map(redeemCodeRecord));
  }

  async #insert(codes: Parameters<typeof insertRedeemCodes>[1]): Promise<RedeemCodeRecord[]> {
    if (codes.length === 0) return [];
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, (em) => insertRedeemCodes(em, codes)));
  }

  async #findOne(where: object): Promise<RedeemCodeRecord | null> {
    const row = await this.#reader().findOne(RedeemCode, where);
    return row && redeemCodeRecord(row);
  }

  async #withRelations(rows: readonly RedeemCode[]): Promise<RedeemCodeWithRelations[]> {
    const records = await this.#withGroups(rows.map(redeemCodeRecord));
    const users = await usersById(
      this.#em,
      records.map((record) => record.usedBy),
    );
    return records.map((record) => Object.assign(record, { user: users.get(record.usedBy) ?? null }));
  }

  async #withGroups(records: readonly RedeemCodeRecord[]): Promise<RedeemCodeWithGroup[]> {
    const groups = await groupsById(
      this.#em,
      records.map((record) => record.groupId),
    );
    return records.map((record) => Object.assign(record, { group: groups.get(record.groupId) ?? null }));
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

function whereOf(filters: RedeemCodeFilters): object {
  const { type, status, search } = checkGiven('filters', filters);
  return {
    ...(type && { type: checkOneOf('type', type, REDEEM_TYPES) }),
    ...(status && { status: checkOneOf('status', status, REDEEM_STATUSES) }),
    ...(search && { code: { $ilike: containsPattern(checkText('search', search)) } }),
  };
}

function found(record: RedeemCodeRecord | null): RedeemCodeRecord {
  if (record) return record;
  throw new NotFoundError('RedeemCode', gatewayErrors);
}
