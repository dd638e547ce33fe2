import type { Id } from '../../kit/columns/index.ts';
import { isDataError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { checkedColumns } from './group-input.ts';
import {
  type GroupChange,
  type GroupFilters,
  groupRecord,
  type GroupRecord,
  type NewGroup,
} from './group-record.ts';
import { Group } from './group.entity.ts';
import { lockLiveGroup } from './lock-group.ts';

/** Groups. Every method joins the transaction of the entity manager that it was given. */
export class GroupRepository {
  readonly #em: DataEntityManager;

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** @throws ConflictError GROUP_EXISTS; NotFoundError GROUP_NOT_FOUND for the fallback; InvalidInputError VALIDATION. */
  async create(group: NewGroup): Promise<GroupRecord> {
    const columns = checkedColumns({ ...group, name: group?.name ?? '' });
    return unitOfWork(this.#em, async (em) => {
      await lockFallback(em, columns['fallbackGroup']);
      const created = em.create(Group, columns as never);
      await em.flush();
      // An amount is stored with all decimals of its column, which only the database adds.
      await em.refresh(created);
      return groupRecord(created);
    });
  }

  /** @throws NotFoundError GROUP_NOT_FOUND. */
  async getById(id: Id): Promise<GroupRecord> {
    return this.getByIdLite(id);
  }

  /** Exactly one statement. @throws NotFoundError GROUP_NOT_FOUND. */
  async getByIdLite(id: Id): Promise<GroupRecord> {
    const group = await this.findById(id);
    if (group) return group;
    throw new NotFoundError('Group', gatewayErrors);
  }

  /** Null when there is no live group with this id. */
  async findById(id: Id): Promise<GroupRecord | null> {
    const group = await this.#reader().findOne(Group, checkId('id', id));
    return group ? groupRecord(group) : null;
  }

  /**
   * Writes the columns that differ; null clears limits, image prices, fallback group and routing.
   *
   * @throws NotFoundError GROUP_NOT_FOUND; ConflictError GROUP_EXISTS; InvalidInputError VALIDATION.
   */
  async update(change: GroupChange): Promise<GroupRecord> {
    const columns = checkedColumns(change);
    const id = checkId('id', change.id);
    const work = async (em: DataEntityManager): Promise<GroupRecord> => {
      const group = await em.findOneOrFail(Group, id);
      if (columns['fallbackGroup'] !== group.fallbackGroup?.id)
        await lockFallback(em, columns['fallbackGroup']);
      em.assign(group, columns as never);
      await em.flush().catch(asNotFound);
      await em.refresh(group);
      return groupRecord(group);
    };
    // Two groups that become each other's fallback lock one another's row first and their own second.
    return retryTransaction(this.#em, (tx) => unitOfWork(tx, work));
  }

  /** Soft-deletes the group's row alone; a group that is missing or deleted already is a success. */
  async delete(id: Id): Promise<void> {
    await this.#em.getRepository(Group).softDelete(checkId('id', id));
  }

  /** By id ascending. */
  async list(page: PageRequest = {}): Promise<Page<GroupRecord>> {
    return this.listWithFilters(page, {});
  }

  /** By id ascending. */
  async listWithFilters(page: PageRequest, filters: GroupFilters): Promise<Page<GroupRecord>> {
    const { limit, offset, page: number } = clampPage(page);
    const options = { orderBy: { id: 'asc' }, limit, offset } as const;
    const [groups, total] = await this.#reader().findAndCount(Group, whereOf(filters), options);
    return pageOf(groups.map(groupRecord), total, { page: number, limit });
  }

  /** Active groups by id ascending. */
  async listActive(): Promise<GroupRecord[]> {
    return this.#list({ status: 'active' });
  }

  /** Active groups of one platform by id ascending. */
  async listActiveByPlatform(platform: string): Promise<GroupRecord[]> {
    return this.#list({ status: 'active', platform: checkText('platform', platform) });
  }

  /** Whether a live group has the name. The answer may be old when you use it: `create` is what decides. */
  async existsByName(name: string): Promise<boolean> {
    return (await this.#em.count(Group, { name: checkText('name', name) })) > 0;
  }

  async #list(where: object): Promise<GroupRecord[]> {
    const groups = await this.#reader().find(Group, where, { orderBy: { id: 'asc' } });
    return groups.map(groupRecord);
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

async function lockFallback(em: DataEntityManager, id: unknown): Promise<void> {
  if (typeof id === 'string') await lockLiveGroup(em, id);
}

function whereOf({ platform, status, search, isExclusive }: GroupFilters): object {
  const pattern = search ? containsPattern(checkText('search', search)) : undefined;
  return {
    ...(platform && { platform: checkText('platform', platform) }),
    ...(status && { status: checkText('status', status) }),
    ...(isExclusive !== undefined && { isExclusive }),
    ...(pattern && { $or: [{ name: { $ilike: pattern } }, { description: { $ilike: pattern } }] }),
  };
}

/** The row was deleted by someone else after it had been read. */
function asNotFound(error: unknown): never {
  throw isDataError(error, 'DATA.SOFT_DELETED_ROW') ? new NotFoundError('Group', gatewayErrors) : error;
}
