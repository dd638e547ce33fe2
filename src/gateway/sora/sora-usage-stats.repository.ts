import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkIds, checkOptionalId } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { clampPage, type Page, pageOf, type PageRequest } from '../../kit/queries/index.ts';
import { countSoraUsage } from './count-sora-usage.ts';
import {
  SORA_USAGE_COLUMNS,
  soraUsageRecord,
  type SoraUsageRecord,
  type SoraUsageRow,
} from './sora-usage-record.ts';

const READ = `select ${SORA_USAGE_COLUMNS} from sora_usage_stats s where s.account_id = any (?::bigint[]) order by s.account_id`;
const LIST = `select ${SORA_USAGE_COLUMNS} from sora_usage_stats s order by s.updated_at desc, s.id desc limit ? offset ?`;
const COUNT = 'select count(*)::int as count from sora_usage_stats';
const RESET = `update sora_usage_stats set consecutive_error_count = 0, updated_at = now()
  where account_id = ? and consecutive_error_count is distinct from 0`;

/** Successes and errors of accounts. Every method joins the transaction of the entity manager that it was given. */
export class SoraUsageStatsRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** One statement. It ends a row of errors. No-op for an id that is none and for an account that is not live: answers false. */
  async recordSuccess(accountId: Id, isVideo: boolean): Promise<boolean> {
    const id = checkOptionalId('accountId', accountId);
    if (typeof isVideo !== 'boolean') throw new InvalidInputError('isVideo', 'be true or false');
    return id !== undefined && (await countSoraUsage(this.#em, id, isVideo ? 'video' : 'image')) !== null;
  }

  /** One statement. Answers how many errors have followed each other by now; 0 for an id that is none, or no live account. */
  async recordError(accountId: Id): Promise<number> {
    const id = checkOptionalId('accountId', accountId);
    return id === undefined ? 0 : ((await countSoraUsage(this.#em, id, 'error')) ?? 0);
  }

  /** Begins a new row of errors; nothing is written where there is none. */
  async resetConsecutiveErrors(accountId: Id): Promise<void> {
    const id = checkOptionalId('accountId', accountId);
    if (id !== undefined) await this.#em.execute(RESET, [id], 'run');
  }

  /** Null when nothing was ever counted. */
  async getByAccountId(accountId: Id): Promise<SoraUsageRecord | null> {
    const id = checkOptionalId('accountId', accountId);
    return id === undefined ? null : ((await this.#read([id])).get(id) ?? null);
  }

  /** Those that are there, by the ids of their accounts; no statement for no ids. */
  async getByAccountIds(accountIds: readonly Id[]): Promise<Map<Id, SoraUsageRecord>> {
    return this.#read(checkIds('accountIds', accountIds));
  }

  /** What was written last comes first; deleted accounts have their rows still. */
  async list(request: PageRequest = {}): Promise<Page<SoraUsageRecord>> {
    const { limit, offset, page } = clampPage(request);
    const rows = await this.#em.execute<SoraUsageRow[]>(LIST, [limit, offset]);
    const [count] = await this.#em.execute<{ count: number }[]>(COUNT);
    return pageOf(rows.map(soraUsageRecord), count?.count ?? 0, { page, limit });
  }

  async #read(ids: readonly Id[]): Promise<Map<Id, SoraUsageRecord>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#em.execute<SoraUsageRow[]>(READ, [`{${ids.join(',')}}`]);
    return new Map(rows.map((row) => [row.accountId, soraUsageRecord(row)]));
  }
}
