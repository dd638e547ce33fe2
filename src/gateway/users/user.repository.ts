import type { Amount, Id } from '../../kit/columns/index.ts';
import { isDataError, NotFoundError } from '../../kit/errors/index.ts';
import { checkAmount, checkId, checkIds, checkInteger, checkText } from '../../kit/input/index.ts';
import {
  changePrepared,
  type DataEntityManager,
  placeReads,
  type PreparedStatement,
  unitOfWork,
} from '../../kit/orm/index.ts';
import type { Page, PageRequest } from '../../kit/queries/index.ts';
import { retryStatement, retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { lockLiveGroups } from '../groups/lock-group.ts';
import { readAllowedGroups, removeGroupFromSets, replaceAllowedGroups } from './allowed-groups.ts';
import {
  ADD_TO_BALANCE,
  ADD_TO_CONCURRENCY,
  type BalanceChange,
  type BalanceOperation,
  changeBalance,
  TAKE_FROM_BALANCE,
} from './balance.ts';
import { type AllowedGroupsOptions, isDualWrite } from './dual-write.ts';
import { listUsers } from './list-users.ts';
import { BALANCE, checkedColumns, refuseNull } from './user-input.ts';
import {
  type ListedUser,
  type NewUser,
  type UserChange,
  type UserFilters,
  type UserRecord,
  userRecord,
} from './user-record.ts';
import { User } from './user.entity.ts';

/** Users and the groups that they may use. Every method joins the transaction of the entity manager that it was given. */
export class UserRepository {
  readonly #em: DataEntityManager;
  readonly #options: AllowedGroupsOptions;

  static {
    placeReads(this, (own) => own.#em);
  }

  /** @throws InvalidInputError VALIDATION for an unknown `allowedGroups`. */
  constructor(em: DataEntityManager, options: AllowedGroupsOptions = {}) {
    isDualWrite(options);
    this.#em = em;
    this.#options = options;
  }

  /**
   * Inserts a user together with the set of allowed groups.
   *
   * @throws ConflictError EMAIL_EXISTS; NotFoundError GROUP_NOT_FOUND; InvalidInputError VALIDATION. Nothing is inserted.
   */
  async create(user: NewUser): Promise<UserRecord> {
    refuseNull(user);
    const columns = checkedColumns({
      ...user,
      email: user.email ?? '',
      passwordHash: user.passwordHash ?? '',
    });
    const ids = checkIds('allowedGroups', user.allowedGroups ?? []);
    return this.#write(async (em) => {
      const live = await lockLiveGroups(em, ids);
      const created = em.create(User, columns as never);
      await em.flush();
      const groups = await replaceAllowedGroups(em, created.id, { ids, live }, this.#options);
      // An amount is stored with all decimals of its column, which only the database adds.
      await em.refresh(created);
      return userRecord(created, groups);
    });
  }

  /** @throws NotFoundError USER_NOT_FOUND. */
  async getById(id: Id): Promise<UserRecord> {
    return orFail(await this.findById(id));
  }

  /** Null when there is no live user with this id. */
  async findById(id: Id): Promise<UserRecord | null> {
    return this.#findOne({ id: checkId('id', id) });
  }

  /** The e-mail is compared exactly. @throws NotFoundError USER_NOT_FOUND. */
  async getByEmail(email: string): Promise<UserRecord> {
    return orFail(await this.findByEmail(email));
  }

  /** Null when there is no live user with this e-mail. */
  async findByEmail(email: string): Promise<UserRecord | null> {
    return this.#findOne({ email: checkText('email', email) });
  }

  /** The active administrator with the smallest id. @throws NotFoundError USER_NOT_FOUND. */
  async getFirstAdmin(): Promise<UserRecord> {
    return orFail(await this.#findOne({ role: 'admin', status: 'active' }));
  }

  /**
   * Writes the columns that differ from the stored ones, and replaces the set of allowed groups when one is given.
   *
   * @throws NotFoundError USER_NOT_FOUND, GROUP_NOT_FOUND; ConflictError EMAIL_EXISTS; InvalidInputError VALIDATION.
   */
  async update(change: UserChange): Promise<UserRecord> {
    refuseNull(change);
    const id = checkId('id', change.id);
    const columns = checkedColumns({ ...change, balance: undefined });
    const ids = change.allowedGroups && checkIds('allowedGroups', change.allowedGroups);
    return this.#write(async (em) => {
      const live = await lockLiveGroups(em, ids ?? []);
      const user = await em.findOneOrFail(User, id);
      em.assign(user, columns as never);
      await em.flush().catch(asNotFound);
      if (!ids) return userRecord(user, (await readAllowedGroups(em, [id])).get(id) ?? []);
      const groups = await replaceAllowedGroups(em, id, { ids, live }, this.#options);
      // The array is a column of the row, and what writes it sets `updated_at`.
      if (isDualWrite(this.#options)) await em.refresh(user);
      return userRecord(user, groups);
    });
  }

  /** Soft-deletes; a second call succeeds. Keys, subscriptions and sets stay as they are. @throws NotFoundError when the id never existed. */
  async delete(id: Id): Promise<void> {
    const key = checkId('id', id);
    if (await this.#em.getRepository(User).softDelete(key)) return;
    const existed = await this.#em.skipSoftDelete((all) => all.count(User, { id: key }));
    if (existed === 0) throw new NotFoundError('User', gatewayErrors);
  }

  /** Newest first. */
  async list(page: PageRequest = {}): Promise<Page<ListedUser>> {
    return this.listWithFilters(page, {});
  }

  /** Newest first; at most five statements whatever the size of the page. @throws InvalidInputError VALIDATION. */
  async listWithFilters(page: PageRequest, filters: UserFilters): Promise<Page<ListedUser>> {
    return listUsers(this.#em, page, filters);
  }

  /** Adds to the balance in one statement; a negative delta may take it below zero. @throws NotFoundError USER_NOT_FOUND. */
  async updateBalance(id: Id, delta: Amount): Promise<void> {
    const amount = checkAmount('delta', delta, BALANCE);
    await this.#change(ADD_TO_BALANCE, id, amount);
  }

  /** Takes from the balance in one statement, into overdraft too: the request that runs must finish. @throws NotFoundError USER_NOT_FOUND. */
  async deductBalance(id: Id, amount: Amount): Promise<void> {
    const deducted = checkAmount('amount', amount, { ...BALANCE, notNegative: true });
    await this.#change(TAKE_FROM_BALANCE, id, deducted);
  }

  /**
   * An administrator's change of the balance, in one statement; answers what it was and what it is.
   *
   * @throws InvalidInputError VALIDATION when the result would be negative; NotFoundError USER_NOT_FOUND.
   */
  async setBalance(id: Id, operation: BalanceOperation, amount: Amount): Promise<BalanceChange> {
    return retryStatement(this.#em, () => changeBalance(this.#em, id, operation, amount));
  }

  /** Adds to the number of parallel requests. @throws NotFoundError USER_NOT_FOUND. */
  async updateConcurrency(id: Id, delta: number): Promise<void> {
    const added = checkInteger('delta', delta);
    await this.#change(ADD_TO_CONCURRENCY, id, added);
  }

  /** Whether a live user has the e-mail. The answer may be old when you use it: `create` is what decides. */
  async existsByEmail(email: string): Promise<boolean> {
    return (await this.#em.count(User, { email: checkText('email', email) })) > 0;
  }

  /** Takes a group out of all sets, those of deleted users too; answers how many had it. */
  async removeGroupFromAllowedGroups(groupId: Id): Promise<number> {
    const id = checkId('groupId', groupId);
    return retryTransaction(this.#em, (tx) => removeGroupFromSets(tx, id, this.#options));
  }

  async #findOne(where: object): Promise<UserRecord | null> {
    const em = this.#em.fork({ keepTransactionContext: true });
    const user = await em.findOne(User, where, { orderBy: { id: 'asc' } });
    if (!user) return null;
    return userRecord(user, (await readAllowedGroups(this.#em, [user.id])).get(user.id) ?? []);
  }

  /** A set locks several groups, and so does the deletion of one with what hangs on it: either may lose to the other. */
  async #write<T>(work: (em: DataEntityManager) => Promise<T>): Promise<T> {
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  async #change(change: () => PreparedStatement, id: Id, value: Amount | number): Promise<void> {
    const key = checkId('id', id);
    const write = () => changePrepared(this.#em, change(), [value, key]);
    if ((await retryStatement(this.#em, write)) === 0) throw new NotFoundError('User', gatewayErrors);
  }
}

function orFail(user: UserRecord | null): UserRecord {
  if (user) return user;
  throw new NotFoundError('User', gatewayErrors);
}

/** The row was deleted by someone else after it had been read. */
function asNotFound(error: unknown): never {
  throw isDataError(error, 'DATA.SOFT_DELETED_ROW') ? new NotFoundError('User', gatewayErrors) : error;
}
