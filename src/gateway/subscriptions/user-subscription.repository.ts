import { raw } from '@mikro-orm/core';
import type { Amount, Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { checkAmount, checkId, checkInstant, checkInteger, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { retryStatement, retryTransaction } from '../../kit/transactions/index.ts';
import { clampPage, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { gatewayErrors } from '../errors.ts';
import { type TimeZoneOptions, timeZoneOf } from '../time-zone.ts';
import { readActiveSubscription } from './active-subscription-lookup.ts';
import { incrementUsage, USAGE } from './increment-usage.ts';
import { insertSubscription, updateSubscription } from './store-subscription.ts';
import { expireOverdue, extendByDays } from './subscription-expiry.ts';
import { type SubscriptionFilters, conditionOf } from './subscription-filters.ts';
import { checkedChange, checkedExpiry, checkedNew, checkedStatus } from './subscription-input.ts';
import type {
  ActiveSubscription,
  NewSubscription,
  SubscriptionChange,
  SubscriptionRecord,
  SubscriptionStatus,
  SubscriptionTotals,
  SubscriptionWindows,
  SubscriptionWithGroup,
  SubscriptionWithRelations,
  SubscriptionWithUserAndGroup,
} from './subscription-record.ts';
import { beginWindows, type Period, renewWindows, restartWindow } from './subscription-windows.ts';
import { byId, readAll, readOne, readPage } from './subscriptions-with-relations.ts';
import { UserSubscription } from './user-subscription.entity.ts';

const NEWEST_FIRST = 's.created_at desc, s.id desc';
const MOST_DAYS = 36_500;
const LARGEST_BATCH = 10_000;

/**
 * Subscriptions. Every method joins the transaction of the entity manager that it was given, changes live rows only, and
 * compares with the clock of the database.
 */
export class UserSubscriptionRepository {
  readonly #em: DataEntityManager;
  readonly #timeZone: string;

  static {
    placeReads(this, (own) => own.#em);
  }

  /** @throws InvalidInputError VALIDATION for a time zone that does not exist. */
  constructor(em: DataEntityManager, options: TimeZoneOptions = {}) {
    this.#em = em;
    this.#timeZone = timeZoneOf(options);
  }

  /**
   * Inserts a subscription of a live user and a live group, which both stay live until the transaction ends. A pair whose
   * subscription was deleted may have another one.
   *
   * @throws ConflictError SUBSCRIPTION_ALREADY_EXISTS; NotFoundError USER_NOT_FOUND (also for `assignedBy`), GROUP_NOT_FOUND;
   *   RuleError SUBSCRIPTION_NIL_INPUT; InvalidInputError VALIDATION.
   */
  async create(subscription: NewSubscription): Promise<SubscriptionRecord> {
    const columns = checkedNew(subscription);
    return orFail(await this.#write((em) => insertSubscription(em, columns)));
  }

  /** With user, group and who assigned it. @throws NotFoundError SUBSCRIPTION_NOT_FOUND. */
  async getById(id: Id): Promise<SubscriptionWithRelations> {
    return orFail(await this.findById(id));
  }

  /** Null when there is no live subscription with this id. */
  async findById(id: Id): Promise<SubscriptionWithRelations | null> {
    return readOne(this.#em, 'all', byId(checkId('id', id)));
  }

  /** Of any status, with its group. @throws NotFoundError SUBSCRIPTION_NOT_FOUND. */
  async getByUserIdAndGroupId(userId: Id, groupId: Id): Promise<SubscriptionWithGroup> {
    return orFail(await this.findByUserIdAndGroupId(userId, groupId));
  }

  /** As {@link getByUserIdAndGroupId}, with null when the user has none. */
  async findByUserIdAndGroupId(userId: Id, groupId: Id): Promise<SubscriptionWithGroup | null> {
    const values = [checkId('userId', userId), checkId('groupId', groupId)];
    const sql = 's.user_id = $1 and s.group_id = $2';
    return readOne(this.#em, 'group', { name: 'of_user_and_group', sql, values });
  }

  /** The hot path: one prepared statement. The group is null when it is deleted: refuse it. @throws NotFoundError SUBSCRIPTION_NOT_FOUND. */
  async getActiveByUserIdAndGroupId(userId: Id, groupId: Id): Promise<ActiveSubscription> {
    return orFail(await this.findActiveByUserIdAndGroupId(userId, groupId));
  }

  /** As {@link getActiveByUserIdAndGroupId}, with null when there is none, or it is suspended or over. */
  async findActiveByUserIdAndGroupId(userId: Id, groupId: Id): Promise<ActiveSubscription | null> {
    return readActiveSubscription(this.#em, checkId('userId', userId), checkId('groupId', groupId));
  }

  /**
   * Writes what is given, never usage and windows. A user or group that it gets must be live.
   *
   * @throws NotFoundError SUBSCRIPTION_NOT_FOUND, USER_NOT_FOUND, GROUP_NOT_FOUND; ConflictError
   *   SUBSCRIPTION_ALREADY_EXISTS; RuleError SUBSCRIPTION_NIL_INPUT; InvalidInputError VALIDATION.
   */
  async update(change: SubscriptionChange): Promise<SubscriptionRecord> {
    const columns = checkedChange(change);
    const id = checkId('id', change.id);
    return orFail(await this.#write((em) => updateSubscription(em, id, columns)));
  }

  /** Soft-deletes; one that is missing or deleted already is a success. */
  async delete(id: Id): Promise<void> {
    const key = checkId('id', id);
    await retryStatement(this.#em, () => this.#em.getRepository(UserSubscription).softDelete(key));
  }

  /** Of any status, newest first, each with its group. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listByUserId(userId: Id): Promise<readonly SubscriptionWithGroup[]> {
    const values = [checkId('userId', userId)];
    const where = { name: 'of_user', sql: 's.user_id = $1', values };
    return readAll(this.#em, 'group', { ...where, order: NEWEST_FIRST });
  }

  /** Those that are active and not over, newest first, each with its group. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listActiveByUserId(userId: Id): Promise<readonly SubscriptionWithGroup[]> {
    const values = [checkId('userId', userId)];
    const sql = `s.user_id = $1 and s.status = 'active' and s.expires_at > now()`;
    return readAll(this.#em, 'group', { name: 'active_of_user', sql, values, order: NEWEST_FIRST });
  }

  /** Newest first, each with user and group. */
  async listByGroupId(groupId: Id, page: PageRequest = {}): Promise<Page<SubscriptionWithUserAndGroup>> {
    const { limit, offset, page: number } = clampPage(page);
    const values = [checkId('groupId', groupId)];
    const where = { name: 'of_group', sql: 's.group_id = $1', values, limit, offset };
    return pageOf(...(await readPage(this.#em, 'parents', where)), { page: number, limit });
  }

  /** Newest first, each with user, group and who assigned it. The status of the filter is the stored one. */
  async list(
    page: PageRequest = {},
    filters: SubscriptionFilters = {},
  ): Promise<Page<SubscriptionWithRelations>> {
    const { limit, offset, page: number } = clampPage(page);
    const where = { ...conditionOf(filters), limit, offset };
    return pageOf(...(await readPage(this.#em, 'all', where)), { page: number, limit });
  }

  /** Of any status. The answer may be old when you use it: `create` is what decides. */
  async existsByUserIdAndGroupId(userId: Id, groupId: Id): Promise<boolean> {
    const where = { user: checkId('userId', userId), group: checkId('groupId', groupId) };
    return (await this.#em.count(UserSubscription, where)) > 0;
  }

  /** Sets the end, at the latest to the end of 2099. @throws NotFoundError SUBSCRIPTION_NOT_FOUND. */
  async extendExpiry(id: Id, newExpiresAt: Date): Promise<void> {
    await this.#change(id, { expiresAt: checkedExpiry(newExpiresAt) });
  }

  /**
   * Adds days of 24 hours to the end, or to now when that is past, in one statement, and makes an expired or suspended one
   * active again. Calls at once all count. It never goes beyond the end of 2099.
   *
   * @returns the new end.
   * @throws NotFoundError SUBSCRIPTION_NOT_FOUND; InvalidInputError VALIDATION for days that are not 1 to 36500.
   */
  async extendByDays(id: Id, days: number): Promise<Date> {
    const key = checkId('id', id);
    return orFail(await extendByDays(this.#em, key, checkInteger('days', days, 1, MOST_DAYS)));
  }

  /** @throws NotFoundError SUBSCRIPTION_NOT_FOUND; InvalidInputError VALIDATION for a status that there is not. */
  async updateStatus(id: Id, status: SubscriptionStatus): Promise<void> {
    await this.#change(id, { status: checkedStatus(status) });
  }

  /** @throws NotFoundError SUBSCRIPTION_NOT_FOUND. */
  async updateNotes(id: Id, notes: string): Promise<void> {
    await this.#change(id, { notes: checkText('notes', notes) });
  }

  /**
   * Begins the three windows, at `start` or at midnight today in the configured zone, unless they have begun already;
   * answers whether this call did it.
   *
   * @throws NotFoundError SUBSCRIPTION_NOT_FOUND.
   */
  async activateWindows(id: Id, start?: Date): Promise<boolean> {
    const key = checkId('id', id);
    const instant = start === undefined ? undefined : checkInstant('start', start);
    const when = { start: instant, timeZone: this.#timeZone };
    if (await beginWindows(this.#em, key, when)) return true;
    if ((await this.#em.count(UserSubscription, { id: key })) === 0) throw notFound();
    return false;
  }

  /** Empties the daily window whatever its age; a start of null lets it never have been used. @throws NotFoundError SUBSCRIPTION_NOT_FOUND. */
  async resetDailyUsage(id: Id, newStart: Date | null): Promise<void> {
    await this.#restart(id, 'daily', newStart);
  }

  /** As {@link resetDailyUsage}, for the weekly window. */
  async resetWeeklyUsage(id: Id, newStart: Date | null): Promise<void> {
    await this.#restart(id, 'weekly', newStart);
  }

  /** As {@link resetDailyUsage}, for the monthly window. */
  async resetMonthlyUsage(id: Id, newStart: Date | null): Promise<void> {
    await this.#restart(id, 'monthly', newStart);
  }

  /**
   * Empties the windows that are 24 hours, 7 days and 30 days old, in one statement, and lets them begin at midnight today in
   * the configured zone. `now` left out is the clock of the database.
   *
   * @returns the windows after it, or null when none was due, another caller was first, or there is no such subscription.
   */
  async resetExpiredWindows(id: Id, now?: Date): Promise<SubscriptionWindows | null> {
    return this.#renew(id, 'reset', now);
  }

  /** As {@link resetExpiredWindows}, and begins windows that were never used: all that a request does to them, in one statement. */
  async checkWindows(id: Id, now?: Date): Promise<SubscriptionWindows | null> {
    return this.#renew(id, 'check', now);
  }

  /**
   * Adds a cost to the three counters in one statement, whatever status, end and limits say: what was served is charged.
   *
   * @returns the totals after it.
   * @throws NotFoundError SUBSCRIPTION_NOT_FOUND, also when its group is deleted; InvalidInputError VALIDATION.
   */
  async incrementUsage(id: Id, costUsd: Amount): Promise<SubscriptionTotals> {
    const cost = checkAmount('costUsd', costUsd, { ...USAGE, notNegative: true });
    return orFail(await incrementUsage(this.#em, checkId('id', id), cost));
  }

  /**
   * Writes 'expired' where 'active' is over, and answers how many there were. Call it every minute. Outside a transaction
   * each batch has one of its own; a row that someone else has locked is left to the next run.
   */
  async batchUpdateExpiredStatus(batchSize = 1000): Promise<number> {
    return expireOverdue(this.#em, checkInteger('batchSize', batchSize, 1, LARGEST_BATCH));
  }

  /** Those that the next `batchUpdateExpiredStatus` finds, by their end. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listExpired(): Promise<readonly SubscriptionRecord[]> {
    const sql = `s.status = 'active' and s.expires_at <= now()`;
    return readAll(this.#em, 'none', { name: 'overdue', sql, values: [], order: 's.expires_at, s.id' });
  }

  /** Of any status. */
  async countByGroupId(groupId: Id): Promise<number> {
    return this.#em.count(UserSubscription, { group: checkId('groupId', groupId) });
  }

  /** Those that are active and not over. */
  async countActiveByGroupId(groupId: Id): Promise<number> {
    const group = checkId('groupId', groupId);
    return this.#em.count(UserSubscription, { group, status: 'active', expiresAt: { $gt: raw('now()') } });
  }

  /** Soft-deletes those of a group; answers how many. */
  async deleteByGroupId(groupId: Id): Promise<number> {
    const group = checkId('groupId', groupId);
    return retryStatement(this.#em, () => this.#em.nativeDelete(UserSubscription, { group }));
  }

  async #change(id: Id, columns: object): Promise<void> {
    const key = checkId('id', id);
    // Built anew each time, because a raw fragment serves one statement.
    const changes = () => ({ ...columns, updatedAt: raw('now()') }) as never;
    const write = () => this.#em.nativeUpdate(UserSubscription, { id: key }, changes());
    if ((await retryStatement(this.#em, write)) === 0) throw notFound();
  }

  async #write<T>(work: (em: DataEntityManager) => Promise<T>): Promise<T> {
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  async #restart(id: Id, period: Period, newStart: Date | null): Promise<void> {
    const start = newStart === null ? null : checkInstant('newStart', newStart);
    if (!(await restartWindow(this.#em, checkId('id', id), { period, start }))) throw notFound();
  }

  async #renew(id: Id, work: 'reset' | 'check', now: Date | undefined): Promise<SubscriptionWindows | null> {
    const instant = now === undefined ? undefined : checkInstant('now', now);
    return renewWindows(this.#em, checkId('id', id), { work, now: instant, timeZone: this.#timeZone });
  }
}

function orFail<T>(found: T | null | undefined): T {
  if (found !== null && found !== undefined) return found;
  throw notFound();
}

function notFound(): NotFoundError {
  return new NotFoundError('UserSubscription', gatewayErrors);
}
