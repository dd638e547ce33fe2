import type { Id } from '../../kit/columns/index.ts';
import { isDataError, NotFoundError, RuleError } from '../../kit/errors/index.ts';
import { checkGiven, checkId, checkInteger, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { clampPage, containsPattern, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { gatewayErrors } from '../errors.ts';
import { gatewayRules } from '../rules.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import { lockProxyForDeletion } from './lock-proxy.ts';
import { accountCountsOf, accountSummariesOf, allAccountCounts, isUsedByAccounts } from './proxy-accounts.ts';
import { checkedColumns, checkedNewProxy } from './proxy-input.ts';
import {
  type NewProxy,
  type ProxyAccountSummary,
  type ProxyChange,
  type ProxyFilters,
  proxyRecord,
  type ProxyRecord,
  type ProxyWithAccountCount,
} from './proxy-record.ts';
import { Proxy } from './proxy.entity.ts';

/** Proxies. Every method joins the transaction of the entity manager that it was given. */
export class ProxyRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** @throws InvalidInputError VALIDATION. */
  async create(proxy: NewProxy): Promise<ProxyRecord> {
    const columns = checkedNewProxy(proxy);
    return unitOfWork(this.#em, async (em) => {
      const created = em.create(Proxy, columns as never);
      await em.flush();
      return proxyRecord(created);
    });
  }

  /** @throws NotFoundError PROXY_NOT_FOUND. */
  async getById(id: Id): Promise<ProxyRecord> {
    const proxy = await this.findById(id);
    if (proxy) return proxy;
    throw new NotFoundError('Proxy', gatewayErrors);
  }

  /** Null when there is no live proxy with this id. */
  async findById(id: Id): Promise<ProxyRecord | null> {
    const proxy = await this.#reader().findOne(Proxy, checkId('id', id));
    return proxy ? proxyRecord(proxy) : null;
  }

  /** Writes the columns that differ. @throws NotFoundError PROXY_NOT_FOUND; InvalidInputError VALIDATION. */
  async update(change: ProxyChange): Promise<ProxyRecord> {
    const columns = checkedColumns(change);
    const id = checkId('id', change.id);
    return unitOfWork(this.#em, async (em) => {
      const proxy = await em.findOneOrFail(Proxy, id);
      em.assign(proxy, columns as never);
      await em.flush().catch(asNotFound);
      return proxyRecord(proxy);
    });
  }

  /**
   * Soft-deletes a proxy that no live account uses; one that is missing or deleted already is a success. An account that is
   * being attached with `lockLiveProxy` either comes first, or is refused.
   *
   * @throws RuleError PROXY_IN_USE.
   */
  async delete(id: Id): Promise<void> {
    const key = checkId('id', id);
    await unitOfWork(this.#em, async (em) => {
      if (!(await lockProxyForDeletion(em, key))) return;
      // A statement of its own, because one that waited for the lock would not see what was committed meanwhile.
      if (await isUsedByAccounts(em, key)) throw new RuleError(gatewayRules.PROXY_IN_USE);
      await em.getRepository(Proxy).softDelete(key);
    });
  }

  /** Newest first. */
  async list(page: PageRequest = {}): Promise<Page<ProxyRecord>> {
    return this.listWithFilters(page, {});
  }

  /** Newest first. */
  async listWithFilters(page: PageRequest, filters: ProxyFilters): Promise<Page<ProxyRecord>> {
    const { limit, offset, page: number } = clampPage(page);
    const options = { orderBy: { id: 'desc' }, limit, offset } as const;
    const [proxies, total] = await this.#reader().findAndCount(Proxy, whereOf(filters), options);
    return pageOf(proxies.map(proxyRecord), total, { page: number, limit });
  }

  /** Newest first; three statements, whatever the size of the page, and accounts of its proxies are counted only. */
  async listWithFiltersAndAccountCount(
    page: PageRequest,
    filters: ProxyFilters,
  ): Promise<Page<ProxyWithAccountCount>> {
    const found = await this.listWithFilters(page, filters);
    return { ...found, items: await this.#withAccountCounts(found.items) };
  }

  /** Active proxies by id ascending. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listActive(): Promise<ProxyRecord[]> {
    return this.#listActive({ id: 'asc' });
  }

  /** Active proxies, newest first. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listActiveWithAccountCount(): Promise<ProxyWithAccountCount[]> {
    return this.#withAccountCounts(await this.#listActive({ createdAt: 'desc', id: 'desc' }));
  }

  /** Whether a live proxy has these, whatever its protocol. Empty name and password mean a proxy that asks for none. */
  async existsByHostPortAuth(
    host: string,
    port: number,
    username: string,
    password: string,
  ): Promise<boolean> {
    const where = {
      host: checkText('host', host),
      port: checkInteger('port', port),
      $and: [credential('username', username), credential('password', password)],
    };
    return (await this.#em.count(Proxy, where)) > 0;
  }

  /** Live accounts that use the proxy. */
  async countAccountsByProxyId(id: Id): Promise<number> {
    const key = checkId('id', id);
    return (await accountCountsOf(this.#em, [key])).get(key) ?? 0;
  }

  /** Live accounts by the id of the proxy that they name, which may be deleted; a proxy without any is missing. */
  async getAccountCountsForProxies(): Promise<Map<Id, number>> {
    return allAccountCounts(this.#em);
  }

  /** Live accounts that use the proxy, newest first. @throws RuleError LIST_TOO_LONG above 10,000. */
  async listAccountSummariesByProxyId(id: Id): Promise<readonly ProxyAccountSummary[]> {
    return accountSummariesOf(this.#em, checkId('id', id));
  }

  async #listActive(orderBy: object): Promise<ProxyRecord[]> {
    const options = { orderBy, limit: ASKED_ROWS };
    return wholeList(await this.#reader().find(Proxy, { status: 'active' }, options)).map(proxyRecord);
  }

  async #withAccountCounts(proxies: readonly ProxyRecord[]): Promise<ProxyWithAccountCount[]> {
    const ids = proxies.map((proxy) => proxy.id);
    const counts = await accountCountsOf(this.#em, ids);
    // Assigned, not spread: a copy would lose the password, which is not enumerable.
    return proxies.map((proxy) => Object.assign(proxy, { accountCount: counts.get(proxy.id) ?? 0 }));
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

/** A row that something else wrote may have an empty string for none. */
function credential(field: 'username' | 'password', value: string): object {
  const text = checkText(field, value);
  return text ? { [field]: text } : { $or: [{ [field]: null }, { [field]: '' }] };
}

function whereOf(filters: ProxyFilters): object {
  const { protocol, status, search } = checkGiven('filters', filters);
  const pattern = search ? containsPattern(checkText('search', search)) : undefined;
  return {
    ...(protocol && { protocol: checkText('protocol', protocol) }),
    ...(status && { status: checkText('status', status) }),
    ...(pattern && { name: { $ilike: pattern } }),
  };
}

/** The row was deleted by someone else after it had been read. */
function asNotFound(error: unknown): never {
  throw isDataError(error, 'DATA.SOFT_DELETED_ROW') ? new NotFoundError('Proxy', gatewayErrors) : error;
}
