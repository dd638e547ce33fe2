import { LockMode, raw } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { checkGiven, checkId, checkOneOf, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { usersById } from '../users/users-by-id.ts';
import { keepPromoCode, lockPromoCode } from './lock-promo-code.ts';
import { type CheckedPromoCode, checkedBonus, checkedColumns } from './promo-code-input.ts';
import {
  type NewPromoCode,
  type NewPromoCodeUsage,
  PROMO_STATUSES,
  type PromoCodeChange,
  type PromoCodeFilters,
  type PromoCodeRecord,
  promoCodeRecord,
  type PromoCodeUsageRecord,
  promoCodeUsageRecord,
  type PromoCodeUsageWithUser,
} from './promo-code-record.ts';
import { countUse, insertUsage } from './promo-code-usage.ts';
import { PromoCodeUsage } from './promo-code-usage.entity.ts';
import { PromoCode } from './promo-code.entity.ts';

/** Promo codes and their uses. Every method joins the transaction of the entity manager that it was given. */
export class PromoCodeRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** Stores the code in upper case. @throws ConflictError PROMO_CODE_EXISTS; InvalidInputError VALIDATION. */
  async create(promoCode: NewPromoCode): Promise<PromoCodeRecord> {
    const columns = checkedColumns(promoCode && { ...promoCode, code: promoCode.code ?? '' });
    return unitOfWork(this.#em, async (em) => {
      const created = em.create(PromoCode, folded(columns) as never);
      await em.flush();
      // What the database has made of code and amount.
      await em.refresh(created);
      return promoCodeRecord(created);
    });
  }

  /** @throws NotFoundError PROMO_CODE_NOT_FOUND. */
  async getById(id: Id): Promise<PromoCodeRecord> {
    return found(await this.findById(id));
  }

  /** Null when there is no code with this id. */
  async findById(id: Id): Promise<PromoCodeRecord | null> {
    return this.#findOne({ id: checkId('id', id) });
  }

  /** In any case. @throws NotFoundError PROMO_CODE_NOT_FOUND. */
  async getByCode(code: string): Promise<PromoCodeRecord> {
    return found(await this.findByCode(code));
  }

  /** Null when there is no such code, in any case. */
  async findByCode(code: string): Promise<PromoCodeRecord | null> {
    return this.#findOne({ [raw('upper(code)')]: raw('upper(?)', [checkText('code', code)]) });
  }

  /**
   * As {@link getByCode}, with the row locked until the transaction ends.
   *
   * @throws NotFoundError PROMO_CODE_NOT_FOUND; InvalidInputError VALIDATION outside a transaction.
   */
  async getByCodeForUpdate(code: string): Promise<PromoCodeRecord> {
    return found(await this.findByCodeForUpdate(code));
  }

  /** As {@link getByCodeForUpdate}, with null when there is no such code. */
  async findByCodeForUpdate(code: string): Promise<PromoCodeRecord | null> {
    const id = await lockPromoCode(this.#em, checkText('code', code));
    return id === null ? null : this.#findOne({ id });
  }

  /**
   * Writes the columns that differ; null clears expiry and notes.
   *
   * @throws NotFoundError PROMO_CODE_NOT_FOUND; ConflictError PROMO_CODE_EXISTS; InvalidInputError VALIDATION.
   */
  async update(change: PromoCodeChange): Promise<PromoCodeRecord> {
    const columns = checkedColumns(change);
    const id = checkId('id', change.id);
    const work = async (em: DataEntityManager): Promise<PromoCodeRecord> => {
      // What was deleted while this waited is not found.
      const row = await em.findOneOrFail(PromoCode, id, { lockMode: LockMode.PESSIMISTIC_WRITE });
      em.assign(row, folded(columns) as never);
      await em.flush();
      await em.refresh(row);
      return promoCodeRecord(row);
    };
    // Two codes that get each other's text wait for one another.
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  /** Removes the row and its uses; a code that is not there is a success. */
  async delete(id: Id): Promise<void> {
    await this.#em.nativeDelete(PromoCode, { id: checkId('id', id) });
  }

  /** Newest first. */
  async list(page: PageRequest = {}): Promise<Page<PromoCodeRecord>> {
    return this.listWithFilters(page, {});
  }

  /** Newest first; two statements whatever the size of the page. */
  async listWithFilters(request: PageRequest, filters: PromoCodeFilters): Promise<Page<PromoCodeRecord>> {
    const { limit, offset, page } = clampPage(request);
    const options = { orderBy: { id: 'desc' }, limit, offset } as const;
    const [rows, total] = await this.#reader().findAndCount(PromoCode, whereOf(filters), options);
    return pageOf(rows.map(promoCodeRecord), total, { page, limit });
  }

  /**
   * Records a use by a live user and nothing else: `applyPromo` gives the bonus and counts.
   *
   * @throws ConflictError PROMO_CODE_ALREADY_USED; NotFoundError PROMO_CODE_NOT_FOUND, USER_NOT_FOUND; InvalidInputError
   *   VALIDATION.
   */
  async createUsage(usage: NewPromoCodeUsage): Promise<PromoCodeUsageRecord> {
    const checked = {
      promoCodeId: checkId('promoCodeId', usage?.promoCodeId),
      userId: checkId('userId', usage.userId),
      bonusAmount: checkedBonus(usage.bonusAmount),
    };
    return retryTransaction(this.#em, async (tx) => {
      await keepPromoCode(tx, checked.promoCodeId);
      return insertUsage(tx, checked);
    });
  }

  /** @throws NotFoundError DATA.NOT_FOUND when the user has not had the bonus. */
  async getUsageByPromoCodeAndUser(promoCodeId: Id, userId: Id): Promise<PromoCodeUsageRecord> {
    const usage = await this.findUsageByPromoCodeAndUser(promoCodeId, userId);
    if (usage) return usage;
    throw new NotFoundError('PromoCodeUsage', gatewayErrors);
  }

  /** Null when the user has not had the bonus of the code. */
  async findUsageByPromoCodeAndUser(promoCodeId: Id, userId: Id): Promise<PromoCodeUsageRecord | null> {
    const pair = { promoCode: checkId('promoCodeId', promoCodeId), user: checkId('userId', userId) };
    const row = await this.#reader().findOne(PromoCodeUsage, pair);
    return row && promoCodeUsageRecord(row);
  }

  /** The latest first, each with its user; three statements whatever the size of the page. */
  async listUsagesByPromoCode(
    promoCodeId: Id,
    request: PageRequest = {},
  ): Promise<Page<PromoCodeUsageWithUser>> {
    const { limit, offset, page } = clampPage(request);
    const [rows, total] = await this.#reader().findAndCount(
      PromoCodeUsage,
      { promoCode: checkId('promoCodeId', promoCodeId) },
      { orderBy: { id: 'desc' }, limit, offset },
    );
    const usages = rows.map(promoCodeUsageRecord);
    const users = await usersById(
      this.#em,
      usages.map((usage) => usage.userId),
    );
    const items = usages.map((usage) => ({ ...usage, user: users.get(usage.userId) ?? null }));
    return pageOf(items, total, { page, limit });
  }

  /** Adds one to the uses, in one statement. @throws NotFoundError PROMO_CODE_NOT_FOUND. */
  async incrementUsedCount(id: Id): Promise<void> {
    await countUse(this.#em, checkId('id', id));
  }

  async #findOne(where: object): Promise<PromoCodeRecord | null> {
    const row = await this.#reader().findOne(PromoCode, where);
    return row && promoCodeRecord(row);
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

/** The database folds the code, by the same rules as the index that finds it; those of JavaScript differ for some letters. */
function folded({ code, ...columns }: CheckedPromoCode): object {
  return code === undefined ? columns : { ...columns, code: raw('upper(?)', [code]) };
}

function whereOf(filters: PromoCodeFilters): object {
  const { status, search } = checkGiven('filters', filters);
  return {
    ...(status && { status: checkOneOf('status', status, PROMO_STATUSES) }),
    ...(search && { code: { $ilike: containsPattern(checkText('search', search)) } }),
  };
}

function found(record: PromoCodeRecord | null): PromoCodeRecord {
  if (record) return record;
  throw new NotFoundError('PromoCode', gatewayErrors);
}
