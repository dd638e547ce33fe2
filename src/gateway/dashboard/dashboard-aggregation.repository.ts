import { sql } from '@mikro-orm/core';
import { RuleError } from '../../kit/errors/index.ts';
import { checkGiven, checkInteger } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { gatewayRules } from '../rules.ts';
import { checkInstant, checkRange, type HalfOpenRange } from '../usage/usage-range.ts';
import { aggregateDays } from './aggregate-days.ts';
import { aggregateHours } from './aggregate-hours.ts';
import { hasClaims, makeMonths } from './log-months.ts';
import { dropPartitions, isPartitioned, makePartitions } from './log-partitions.ts';
import { removeAggregates, type RemovedAggregates } from './remove-aggregates.ts';
import { removeMonths } from './remove-months.ts';
import { lockWatermark, raiseWatermark, readWatermark } from './watermark.ts';

/** What went: rows, or whole partitions where the logs are divided by month. */
export interface RemovedLogs {
  readonly rows: number;
  readonly partitions: readonly string[];
}

/**
 * Hours and days added up beforehand. Who aggregates or cleans up waits for the others, until its transaction ends. Every
 * method joins the transaction of the entity manager.
 */
export class DashboardAggregationRepository {
  readonly #em: DataEntityManager;
  readonly #zone: string;

  static {
    placeReads(this, (own) => own.#em);
  }

  /** @param timeZone as `timeZoneOf` answers it. Another one than before asks for aggregating everything again. */
  constructor(em: DataEntityManager, timeZone: string) {
    this.#em = em;
    this.#zone = timeZone;
  }

  /**
   * Adds up every hour and every day that the range touches, a day from its hours, in one transaction. Running it again
   * changes nothing but what the logs changed. What is older than the oldest log is left as it is.
   *
   * @throws RuleError INVALID_TIME_RANGE when `end` is not after `start`; InvalidInputError VALIDATION.
   */
  async aggregateRange(range: HalfOpenRange): Promise<void> {
    checkRange(range);
    if (range.end <= range.start) throw new RuleError(gatewayRules.INVALID_TIME_RANGE);
    await unitOfWork(this.#em, async (em) => {
      await lockWatermark(em);
      await this.#aggregate(em, range);
    });
  }

  /**
   * Adds up what came since the watermark, and raises it, in one transaction. It looks back a while, because a log is seen
   * only when its transaction has ended. Answers the range, or null when there is no log.
   */
  async aggregateNewLogs(options: { readonly lookBackSeconds?: number } = {}): Promise<HalfOpenRange | null> {
    const { lookBackSeconds = 120 } = checkGiven('options', options);
    const lookBack = checkInteger('lookBackSeconds', lookBackSeconds, 0);
    return unitOfWork(this.#em, async (em) => {
      await lockWatermark(em);
      const range = await newRange(em, lookBack);
      if (!range) return null;
      await this.#aggregate(em, range);
      await raiseWatermark(em, range.end);
      return range;
    });
  }

  /** Until when logs are aggregated; 1970 before the first time. */
  async getAggregationWatermark(): Promise<Date> {
    return readWatermark(this.#em);
  }

  /** Raises it; an earlier instant than the stored one changes nothing. */
  async updateAggregationWatermark(until: Date): Promise<void> {
    await raiseWatermark(this.#em, checkInstant('until', until));
  }

  /** Removes hours that began before the one instant, and days before the date of the other. */
  async cleanupAggregates(hourlyCutoff: Date, dailyCutoff: Date): Promise<RemovedAggregates> {
    const hourly = checkInstant('hourlyCutoff', hourlyCutoff);
    const daily = checkInstant('dailyCutoff', dailyCutoff);
    return unitOfWork(this.#em, async (em) => {
      await lockWatermark(em);
      return removeAggregates(em, hourly, daily, this.#zone);
    });
  }

  /**
   * Removes logs from before the cutoff, the oldest first, each batch in a transaction of its own unless there is one already;
   * their entries in the ledger go with them. Where the logs are divided by month, the months that end by then go, in the same
   * batches, and their partitions are dropped; one that was divided by hand loses its partitions at once.
   */
  async cleanupUsageLogs(cutoff: Date, options: { readonly batchSize?: number } = {}): Promise<RemovedLogs> {
    const { batchSize = 5000 } = checkGiven('options', options);
    const before = checkInstant('cutoff', cutoff);
    const size = checkInteger('batchSize', batchSize, 1, 100_000);
    if (await isPartitioned(this.#em))
      return (await hasClaims(this.#em))
        ? removeMonths(this.#em, before, size)
        : { rows: 0, partitions: await this.#dropPartitions(before) };
    let rows = 0;
    for (let removed = size; removed === size; rows += removed)
      removed = await this.#removeBatch(before, size);
    return { rows, partitions: [] };
  }

  /**
   * The partitions that logs of the last, this and the next UTC month need; answers those that were missing. Logs that were
   * stored before their month was there move into it. Nothing, where the logs are not divided.
   */
  async ensureUsageLogsPartitions(now: Date): Promise<readonly string[]> {
    const instant = checkInstant('now', now);
    if (!(await isPartitioned(this.#em))) return [];
    if (await hasClaims(this.#em)) return makeMonths(this.#em, instant);
    return unitOfWork(this.#em, async (em) => {
      await lockWatermark(em);
      return makePartitions(em, instant);
    });
  }

  async #aggregate(em: DataEntityManager, range: HalfOpenRange): Promise<void> {
    await aggregateHours(em, range, this.#zone);
    await aggregateDays(em, range, this.#zone);
  }

  async #removeBatch(before: Date, size: number): Promise<number> {
    return unitOfWork(this.#em, async (em) => {
      await lockWatermark(em);
      const { affectedRows } = await em.execute<{ affectedRows: number }>(
        sql`delete from usage_logs where id in (
          select id from usage_logs where created_at < ${before}::timestamptz order by created_at limit ${size}
        )`,
        [],
        'run',
      );
      return affectedRows;
    });
  }

  async #dropPartitions(before: Date): Promise<string[]> {
    return unitOfWork(this.#em, async (em) => {
      await lockWatermark(em);
      return dropPartitions(em, before);
    });
  }
}

async function newRange(em: DataEntityManager, lookBack: number): Promise<HalfOpenRange | null> {
  const [row] = await em.execute<{ start: number | null; end: number }[]>(sql`select
    (extract(epoch from greatest(w.last_aggregated_at - make_interval(secs => ${lookBack}), oldest)) * 1000)::float8 as start,
    (extract(epoch from now()) * 1000)::float8 as end
    from usage_dashboard_aggregation_watermark w, (select min(created_at) as oldest from usage_logs) l
    where w.id = 1 and oldest is not null and oldest < now()`);
  if (!row?.start) return null;
  // Both are cut to whole milliseconds, and an end of the same one would make an empty range.
  return { start: new Date(Math.min(row.start, row.end - 1)), end: new Date(row.end) };
}
