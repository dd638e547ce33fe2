import { raw, type RawQueryFragment, sql } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { checkGiven, checkId, checkOptionalId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { clampPage, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { gatewayErrors } from '../errors.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import { allOf, closedConditionsOf, type ClosedUsageFilters } from './usage-filters.ts';
import { usageLogRecord, type UsageLogRecord } from './usage-log-record.ts';
import { type UsageLogWithRelations, withRelations } from './usage-log-relations.ts';
import { createUsageLog, type CreatedUsageLog } from './create-usage-log.ts';
import { UsageLog } from './usage-log.entity.ts';
import { type UsageLogsOptions, type UsageStatements, usageStatements } from './usage-logs-form.ts';
import type { NewUsage } from './usage-record.ts';
import { type HalfOpenRange, within } from './usage-range.ts';

/** Where to go on: the `next` of the part before, and how many logs at most. */
export interface UsageLogCursor {
  readonly before?: Id | null;
  /** Default 20, at most 100. */
  readonly limit?: number;
}

/** A part of a list; `next` is null in the last one. */
export interface UsageLogSlice {
  readonly items: readonly UsageLogWithRelations[];
  readonly next: Id | null;
}

/** Usage logs, newest first by id. Every method joins the transaction of the entity manager that it was given. */
export class UsageLogRepository {
  readonly #em: DataEntityManager;
  readonly #statements: UsageStatements;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager, options: UsageLogsOptions = {}) {
    this.#em = em;
    this.#statements = usageStatements(options);
  }

  /**
   * Stores a log and charges nobody: `recordUsage` does both. A request that was stored before is answered with its log.
   *
   * @throws InvalidInputError VALIDATION; NotFoundError when a row that the log names was never there;
   *   RuleError when the database has the other form of `usageLogs`.
   */
  create(usage: NewUsage): Promise<CreatedUsageLog> {
    return createUsageLog(this.#em, usage, this.#statements);
  }

  /** Removes the row, and its line of the ledger with it; a log that is not there is a success. */
  async delete(id: Id): Promise<void> {
    await this.#em.execute('delete from usage_logs where id = ?', [checkId('id', id)], 'run');
  }

  /** @throws NotFoundError USAGE_LOG_NOT_FOUND. */
  async getById(id: Id): Promise<UsageLogRecord> {
    const log = await this.findById(id);
    if (log) return log;
    throw new NotFoundError('UsageLog', gatewayErrors);
  }

  /** Null when there is no log with this id. */
  async findById(id: Id): Promise<UsageLogRecord | null> {
    const [log] = await this.#read(sql`select * from usage_logs where id = ${checkId('id', id)}::bigint`);
    return log ?? null;
  }

  async listByUser(userId: Id, page: PageRequest = {}): Promise<Page<UsageLogRecord>> {
    return this.#page(page, sql`user_id = ${checkId('userId', userId)}::bigint`);
  }

  async listByApiKey(apiKeyId: Id, page: PageRequest = {}): Promise<Page<UsageLogRecord>> {
    return this.#page(page, sql`api_key_id = ${checkId('apiKeyId', apiKeyId)}::bigint`);
  }

  async listByAccount(accountId: Id, page: PageRequest = {}): Promise<Page<UsageLogRecord>> {
    return this.#page(page, sql`account_id = ${checkId('accountId', accountId)}::bigint`);
  }

  /** @throws RuleError LIST_TOO_LONG above 10,000; so do the three others of a range. */
  async listByUserAndTimeRange(userId: Id, range: HalfOpenRange): Promise<readonly UsageLogRecord[]> {
    return this.#range(sql`user_id = ${checkId('userId', userId)}::bigint and ${within(range)}`);
  }

  async listByApiKeyAndTimeRange(apiKeyId: Id, range: HalfOpenRange): Promise<readonly UsageLogRecord[]> {
    return this.#range(sql`api_key_id = ${checkId('apiKeyId', apiKeyId)}::bigint and ${within(range)}`);
  }

  async listByAccountAndTimeRange(accountId: Id, range: HalfOpenRange): Promise<readonly UsageLogRecord[]> {
    return this.#range(sql`account_id = ${checkId('accountId', accountId)}::bigint and ${within(range)}`);
  }

  async listByModelAndTimeRange(model: string, range: HalfOpenRange): Promise<readonly UsageLogRecord[]> {
    return this.#range(sql`model = ${checkText('model', model)}::text and ${within(range)}`);
  }

  /** With the live ones of what the logs name; at most seven statements, whatever the size of the page. */
  async listWithFilters(
    page: PageRequest,
    filters: ClosedUsageFilters,
  ): Promise<Page<UsageLogWithRelations>> {
    const found = await this.#page(page, allOf(closedConditionsOf(filters)));
    return { ...found, items: await withRelations(this.#reader(), found.items) };
  }

  /**
   * The same list part by part, without its length and without reading again what came before. A log that is written
   * meanwhile shifts nothing.
   */
  async listSlice(cursor: UsageLogCursor, filters: ClosedUsageFilters): Promise<UsageLogSlice> {
    const { before, limit } = checkGiven('cursor', cursor);
    const size = clampPage(limit === undefined ? {} : { pageSize: limit }).limit;
    const id = checkOptionalId('before', before);
    const older = id ? [sql`id < ${id}::bigint`] : [];
    const where = allOf([...closedConditionsOf(filters), ...older]);
    const logs = await this.#read(
      sql`select * from usage_logs where ${where} order by id desc limit ${size + 1}`,
    );
    const items = logs.slice(0, size);
    const next = logs.length > size ? (items.at(-1)?.id ?? null) : null;
    return { items: await withRelations(this.#reader(), items), next };
  }

  async #page(request: PageRequest, where: RawQueryFragment): Promise<Page<UsageLogRecord>> {
    const { limit, offset, page } = clampPage(request);
    const [count] = await this.#em.execute<{ total: string }[]>(
      sql`select count(*) as total from usage_logs where ${where}`,
    );
    const items = await this.#read(
      sql`select * from usage_logs where ${where} order by id desc limit ${limit} offset ${offset}`,
    );
    return pageOf(items, Number(count?.total), { page, limit });
  }

  /**
   * The rows are taken first and ordered then: asked for both at once, the planner may walk back over the whole table by id
   * to find those of the range in order.
   */
  async #range(where: RawQueryFragment): Promise<readonly UsageLogRecord[]> {
    const found = sql`select * from usage_logs where ${where} limit ${raw(String(ASKED_ROWS))}`;
    return wholeList(
      await this.#read(sql`with found as materialized (${found}) select * from found order by id desc`),
    );
  }

  async #read(statement: RawQueryFragment): Promise<UsageLogRecord[]> {
    const reader = this.#reader();
    const rows = await reader.execute<object[]>(statement);
    return rows.map((row) => usageLogRecord(reader.map(UsageLog, row)));
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}
