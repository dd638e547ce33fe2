import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { checkId } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import type { Page, PageRequest } from '../../kit/queries/index.ts';
import { gatewayErrors } from '../errors.ts';
import { type GroupRecord } from '../groups/group-record.ts';
import { checkPlatform } from '../platforms.ts';
import { addBinding, deleteAccount, removeBinding, replaceBindings } from './account-bindings.ts';
import * as lists from './account-lists.ts';
import type {
  AccountChange,
  AccountFilters,
  AccountRecord,
  BulkAccountChange,
  NewAccount,
} from './account-record.ts';
import { insertAccount, updateAccount, updateAccounts } from './account-writes.ts';
import { isLiveAccount } from './change-account.ts';
import * as extra from './extra-changes.ts';
import { touchLastUsed, touchLastUsedOf } from './last-used.ts';
import type { SelectedAccount, SelectionOptions } from './schedulable-accounts.ts';
import * as state from './scheduling-state.ts';

interface WithGroups {
  readonly groups?: true;
}

/**
 * Accounts. Platform, type and status are one of a few words each, in what is written and in what is asked for; what a table
 * of another program's making holds beside them is read as it is. Every method joins the transaction of the entity manager that it was given, and tells the scheduler in it of what
 * has changed. The methods from `setError` to `updateSessionWindow` answer whether a row changed and do not throw for a
 * missing account, because they run after a request was served.
 */
export class AccountRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** Binds no groups. @throws RuleError ACCOUNT_NIL_INPUT; NotFoundError PROXY_NOT_FOUND; InvalidInputError VALIDATION. */
  async create(account: NewAccount): Promise<AccountRecord> {
    return insertAccount(this.#em, account);
  }

  /** @throws NotFoundError ACCOUNT_NOT_FOUND. */
  async getById(id: Id): Promise<AccountRecord> {
    const account = await this.findById(id);
    if (account) return account;
    throw new NotFoundError('Account', gatewayErrors);
  }

  /** Null when there is no live account with this id. */
  async findById(id: Id): Promise<AccountRecord | null> {
    return lists.findAccount(this.#em, id);
  }

  /** In the order of the ids, each once; four statements at most. Missing ones are left out. */
  async getByIds(ids: readonly Id[]): Promise<AccountRecord[]> {
    return lists.accountsByIds(this.#em, ids);
  }

  async existsById(id: Id): Promise<boolean> {
    return isLiveAccount(this.#em, checkId('id', id));
  }

  /** The oldest account with this `extra.crs_account_id`; null for none and for the empty text. */
  async getByCrsAccountId(crsAccountId: string): Promise<AccountRecord | null> {
    return lists.accountByCrsId(this.#em, crsAccountId);
  }

  /** Writes what differs, in one update; JSON columns are merged. @throws NotFoundError ACCOUNT_NOT_FOUND, PROXY_NOT_FOUND. */
  async update(change: AccountChange): Promise<AccountRecord> {
    return updateAccount(this.#em, change);
  }

  /** Soft-deletes and removes the bindings; an account that is missing or deleted already is a success. */
  async delete(id: Id): Promise<void> {
    await deleteAccount(this.#em, id);
  }

  /** Newest first. */
  async list(page: PageRequest = {}): Promise<Page<AccountRecord>> {
    return this.listWithFilters(page, {});
  }

  /** Newest first; five statements at most, whatever the size of the page. */
  async listWithFilters(page: PageRequest, filters: AccountFilters): Promise<Page<AccountRecord>> {
    return lists.accountPage(this.#em, page, filters);
  }

  /** Active accounts by the priority of the binding, of the account, then by id. @throws RuleError LIST_TOO_LONG. */
  async listByGroup(groupId: Id): Promise<AccountRecord[]> {
    return lists.accountsOfGroup(this.#em, groupId);
  }

  /** Active accounts by priority, then by id. @throws RuleError LIST_TOO_LONG. */
  async listActive(): Promise<AccountRecord[]> {
    return lists.activeAccounts(this.#em, {});
  }

  /** The same of one platform. @throws RuleError LIST_TOO_LONG. */
  async listByPlatform(platform: string): Promise<AccountRecord[]> {
    return lists.activeAccounts(this.#em, { platform: checkPlatform('platform', platform) });
  }

  /**
   * What may serve a request now, by priority, then by id; one prepared statement, as all that follow. `{ groups: false }` leaves
   * out `groupIds`, and half of the server's work with them.
   */
  async listSchedulable<O extends SelectionOptions = WithGroups>(options?: O): Promise<SelectedAccount<O>[]> {
    return lists.schedulableAccounts(this.#em, 'all', [], options);
  }

  /** By the priority of the binding, of the account, then by id; none for a deleted group. */
  async listSchedulableByGroupId<O extends SelectionOptions = WithGroups>(
    groupId: Id,
    options?: O,
  ): Promise<SelectedAccount<O>[]> {
    return lists.schedulableAccounts(this.#em, 'group', [checkId('groupId', groupId)], options);
  }

  async listSchedulableByPlatform<O extends SelectionOptions = WithGroups>(
    platform: string,
    options?: O,
  ): Promise<SelectedAccount<O>[]> {
    const values = [checkPlatform('platform', platform)];
    return lists.schedulableAccounts(this.#em, 'platform', values, options);
  }

  async listSchedulableByGroupIdAndPlatform<O extends SelectionOptions = WithGroups>(
    groupId: Id,
    platform: string,
    options?: O,
  ): Promise<SelectedAccount<O>[]> {
    const values = [checkId('groupId', groupId), checkPlatform('platform', platform)];
    return lists.schedulableAccounts(this.#em, 'groupPlatform', values, options);
  }

  /** Of no platforms none, without a statement. */
  async listSchedulableByPlatforms<O extends SelectionOptions = WithGroups>(
    platforms: readonly string[],
    options?: O,
  ): Promise<SelectedAccount<O>[]> {
    const given = lists.checkedPlatforms(platforms);
    return given ? lists.schedulableAccounts(this.#em, 'platforms', [given], options) : [];
  }

  /** Of no platforms none, without a statement. */
  async listSchedulableByGroupIdAndPlatforms<O extends SelectionOptions = WithGroups>(
    groupId: Id,
    platforms: readonly string[],
    options?: O,
  ): Promise<SelectedAccount<O>[]> {
    const id = checkId('groupId', groupId);
    const given = lists.checkedPlatforms(platforms);
    return given ? lists.schedulableAccounts(this.#em, 'groupPlatforms', [id, given], options) : [];
  }

  /** Now is later than what is stored, or nothing changes. */
  async updateLastUsed(id: Id): Promise<boolean> {
    return touchLastUsed(this.#em, id);
  }

  /** One update that never moves an instant back; answers how many moved. */
  async batchUpdateLastUsed(times: ReadonlyMap<Id, Date>): Promise<number> {
    return touchLastUsedOf(this.#em, times);
  }

  async setError(id: Id, message: string): Promise<boolean> {
    return state.setError(this.#em, id, message);
  }

  async setSchedulable(id: Id, schedulable: boolean): Promise<boolean> {
    return state.setSchedulable(this.#em, id, schedulable);
  }

  async setRateLimited(id: Id, resetAt: Date): Promise<boolean> {
    return state.setRateLimited(this.#em, id, resetAt);
  }

  async setOverloaded(id: Id, until: Date): Promise<boolean> {
    return state.setOverloaded(this.#em, id, until);
  }

  /** Only extends a pause. */
  async setTempUnschedulable(id: Id, until: Date, reason: string): Promise<boolean> {
    return state.setTempUnschedulable(this.#em, id, until, reason);
  }

  async clearTempUnschedulable(id: Id): Promise<boolean> {
    return state.clearTempUnschedulable(this.#em, id);
  }

  /** Clears the overload too. */
  async clearRateLimit(id: Id): Promise<boolean> {
    return state.clearRateLimit(this.#em, id);
  }

  /** A start or end that is left out stays. */
  async updateSessionWindow(
    id: Id,
    start: Date | null | undefined,
    end: Date | null | undefined,
    status: string,
  ): Promise<boolean> {
    return state.updateSessionWindow(this.#em, id, start, end, status);
  }

  /** Of an empty scope nothing, without a statement. @throws NotFoundError ACCOUNT_NOT_FOUND, as the three that follow. */
  async setModelRateLimit(id: Id, scope: string, resetAt: Date): Promise<boolean> {
    return extra.setModelRateLimit(this.#em, id, scope, resetAt);
  }

  async setAntigravityQuotaScopeLimit(
    id: Id,
    scope: extra.AntigravityScope | '',
    resetAt: Date,
  ): Promise<boolean> {
    return extra.setQuotaScopeLimit(this.#em, id, scope, resetAt);
  }

  async clearModelRateLimits(id: Id): Promise<boolean> {
    return extra.clearModelRateLimits(this.#em, id);
  }

  async clearAntigravityQuotaScopes(id: Id): Promise<boolean> {
    return extra.clearQuotaScopes(this.#em, id);
  }

  /** Merges into `extra` in the database; answers whether that changed anything. @throws NotFoundError ACCOUNT_NOT_FOUND. */
  async updateExtra(
    id: Id,
    patch: Readonly<Record<string, unknown>>,
    options: extra.ExtraOptions = {},
  ): Promise<boolean> {
    return extra.updateExtra(this.#em, id, patch, options);
  }

  /**
   * Pauses live accounts that expire at `now` or before, where they ask for it; answers how many. Call it every minute.
   * Outside a transaction each batch has one of its own, with one event; one that someone else has locked is left to the next run.
   */
  async autoPauseExpiredAccounts(now: Date, batchSize = 1000): Promise<number> {
    return state.autoPauseExpiredAccounts(this.#em, now, batchSize);
  }

  /** One update of live accounts; answers how many there were. Of no ids or no change 0, without a statement. */
  async bulkUpdate(ids: readonly Id[], change: BulkAccountChange): Promise<number> {
    return updateAccounts(this.#em, ids, change);
  }

  /** @throws ConflictError ACCOUNT_GROUP_EXISTS; NotFoundError ACCOUNT_NOT_FOUND, GROUP_NOT_FOUND. */
  async addToGroup(accountId: Id, groupId: Id, priority: number): Promise<void> {
    await addBinding(this.#em, accountId, groupId, priority);
  }

  /** Answers whether there was a binding. */
  async removeFromGroup(accountId: Id, groupId: Id): Promise<boolean> {
    return removeBinding(this.#em, accountId, groupId);
  }

  /** Replaces all bindings; the first group has priority 1. @throws NotFoundError ACCOUNT_NOT_FOUND, GROUP_NOT_FOUND. */
  async bindGroups(accountId: Id, groupIds: readonly Id[]): Promise<void> {
    await replaceBindings(this.#em, accountId, groupIds);
  }

  /** Live groups by the priority of the binding; none for a missing account. */
  async getGroups(accountId: Id): Promise<readonly GroupRecord[]> {
    return (await this.findById(accountId))?.groups ?? [];
  }
}
