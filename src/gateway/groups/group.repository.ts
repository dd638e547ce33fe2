import type { Id } from '../../kit/columns/index.ts';
import { isDataError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { enqueueEvent } from '../outbox/enqueue-event.ts';
import { checkPlatform } from '../platforms.ts';
import { countAccounts, removeBindings } from './account-bindings.ts';
import { type GroupFilters, whereOf } from './group-filters.ts';
import { checkedColumns } from './group-input.ts';
import {
  type GroupChange,
  groupRecord,
  type GroupRecord,
  type GroupWithAccountCount,
  type NewGroup,
} from './group-record.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import { Group } from './group.entity.ts';
import { lockLiveGroup } from './lock-group.ts';

/** Deletes a group with what hangs on it. Handed in, because it knows the aggregates that know this one. */
export type GroupCascade = (em: DataEntityManager, id: Id) => Promise<Id[]>;

/**
 * Groups. Every method joins the transaction of the entity manager that it was given, and what changes a group tells the
 * scheduler so (group_changed) in the same transaction.
 */
export class GroupRepository {
  readonly #em: DataEntityManager;
  readonly #cascade: GroupCascade;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager, cascade: GroupCascade) {
    this.#em = em;
    this.#cascade = cascade;
  }

  /** @throws ConflictError GROUP_EXISTS; NotFoundError GROUP_NOT_FOUND for the fallback; InvalidInputError VALIDATION. */
  async create(group: NewGroup): Promise<GroupWithAccountCount> {
    const columns = checkedColumns({ ...group, name: group?.name ?? '' });
    const work = async (em: DataEntityManager): Promise<GroupWithAccountCount> => {
      await lockFallback(em, columns['fallbackGroup']);
      const created = em.create(Group, columns as never);
      await em.flush();
      await groupChanged(em, created.id);
      // An amount is stored with all decimals of its column, which only the database adds.
      await em.refresh(created);
      return { ...groupRecord(created), accountCount: 0 };
    };
    // It holds the fallback while it waits for another group of the same name.
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  /** With the number of its accounts, in two statements. @throws NotFoundError GROUP_NOT_FOUND. */
  async getById(id: Id): Promise<GroupWithAccountCount> {
    return (await this.findById(id)) ?? notFound();
  }

  /** Without the number of its accounts, in exactly one statement. @throws NotFoundError GROUP_NOT_FOUND. */
  async getByIdLite(id: Id): Promise<GroupRecord> {
    const group = await this.#reader().findOne(Group, checkId('id', id));
    return group ? groupRecord(group) : notFound();
  }

  /** Null when there is no live group with this id. */
  async findById(id: Id): Promise<GroupWithAccountCount | null> {
    const group = await this.#reader().findOne(Group, checkId('id', id));
    if (!group) return null;
    const [found] = await withAccountCounts(this.#em, [group]);
    return found ?? null;
  }

  /**
   * Writes the columns that differ; null clears description, limits, image prices, fallback group and routing. When
   * nothing differs, nothing is written and the scheduler does not hear of it.
   *
   * @throws NotFoundError GROUP_NOT_FOUND; ConflictError GROUP_EXISTS; InvalidInputError VALIDATION.
   */
  async update(change: GroupChange): Promise<GroupWithAccountCount> {
    const columns = checkedColumns(change);
    const id = checkId('id', change.id);
    const work = async (em: DataEntityManager): Promise<GroupWithAccountCount> => {
      const group = await em.findOneOrFail(Group, id);
      if (columns['fallbackGroup'] !== group.fallbackGroup?.id)
        await lockFallback(em, columns['fallbackGroup']);
      em.assign(group, columns as never);
      if (differs(em)) await write(em, group);
      // Also where nothing was written: an amount that was assigned is not yet one as it is stored.
      if (!(await em.refresh(group))) notFound();
      const [updated] = await withAccountCounts(em, [group]);
      return updated ?? notFound();
    };
    // Two groups that become each other's fallback lock one another's row first and their own second.
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  /** Soft-deletes the group's row alone; a group that is missing or deleted already is a success. */
  async delete(id: Id): Promise<void> {
    const key = checkId('id', id);
    await unitOfWork(this.#em, async (em) => {
      if (await em.getRepository(Group).softDelete(key)) await groupChanged(em, key);
    });
  }

  /**
   * Deletes the group with what hangs on it, as `deleteGroupCascade` does; answers the users whose subscriptions ended.
   *
   * @throws NotFoundError GROUP_NOT_FOUND for a group that is missing or deleted already.
   */
  async deleteCascade(id: Id): Promise<Id[]> {
    return this.#cascade(this.#em, id);
  }

  /** By id ascending. */
  async list(page: PageRequest = {}): Promise<Page<GroupWithAccountCount>> {
    return this.listWithFilters(page, {});
  }

  /** By id ascending; three statements whatever the size of the page. */
  async listWithFilters(page: PageRequest, filters: GroupFilters): Promise<Page<GroupWithAccountCount>> {
    const { limit, offset, page: number } = clampPage(page);
    const options = { orderBy: { id: 'asc' }, limit, offset } as const;
    const [groups, total] = await this.#reader().findAndCount(Group, whereOf(filters), options);
    return pageOf(await withAccountCounts(this.#em, groups), total, { page: number, limit });
  }

  /** Active groups by id ascending, in two statements. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listActive(): Promise<GroupWithAccountCount[]> {
    return this.#list({ status: 'active' });
  }

  /** Active groups of one platform by id ascending, in two statements. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listActiveByPlatform(platform: string): Promise<GroupWithAccountCount[]> {
    return this.#list({ status: 'active', platform: checkPlatform('platform', platform) });
  }

  /** Whether a live group has the name. The answer may be old when you use it: `create` is what decides. */
  async existsByName(name: string): Promise<boolean> {
    return (await this.#em.count(Group, { name: checkText('name', name) })) > 0;
  }

  /** How many live accounts are bound to the group, which itself may be deleted; 0 for an unknown one. */
  async getAccountCount(groupId: Id): Promise<number> {
    const id = checkId('groupId', groupId);
    return (await countAccounts(this.#em, [id])).get(id) ?? 0;
  }

  /** Unbinds all accounts, deleted ones too, so that the answer may be more than `getAccountCount` was. */
  async deleteAccountGroupsByGroupId(groupId: Id): Promise<number> {
    const id = checkId('groupId', groupId);
    // Accounts that are rebound at the same time remove their bindings in another order.
    return retryTransaction(this.#em, (tx) =>
      unitOfWork(tx, async (em) => {
        const removed = await removeBindings(em, id);
        if (removed > 0) await groupChanged(em, id);
        return removed;
      }),
    );
  }

  async #list(where: object): Promise<GroupWithAccountCount[]> {
    const options = { orderBy: { id: 'asc' }, limit: ASKED_ROWS } as const;
    return withAccountCounts(this.#em, wholeList(await this.#reader().find(Group, where, options)));
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

async function withAccountCounts(
  em: DataEntityManager,
  groups: readonly Group[],
): Promise<GroupWithAccountCount[]> {
  const counts = await countAccounts(
    em,
    groups.map((group) => group.id),
  );
  return groups.map((group) => ({ ...groupRecord(group), accountCount: counts.get(group.id) ?? 0 }));
}

async function groupChanged(em: DataEntityManager, groupId: Id): Promise<void> {
  await enqueueEvent(em, { eventType: 'group_changed', groupId });
}

/** Whether a flush would write anything: as the ORM sees it, for which "1.50" and a stored 1.5000 are the same amount. */
function differs(em: DataEntityManager): boolean {
  const work = em.getUnitOfWork();
  work.computeChangeSets();
  return work.getChangeSets().length > 0;
}

async function write(em: DataEntityManager, group: Group): Promise<void> {
  await em.flush().catch(asNotFound);
  await groupChanged(em, group.id);
}

async function lockFallback(em: DataEntityManager, id: unknown): Promise<void> {
  if (typeof id === 'string') await lockLiveGroup(em, id);
}

function notFound(): never {
  throw new NotFoundError('Group', gatewayErrors);
}

/** The row was deleted by someone else after it had been read. */
function asNotFound(error: unknown): never {
  throw isDataError(error, 'DATA.SOFT_DELETED_ROW') ? new NotFoundError('Group', gatewayErrors) : error;
}
