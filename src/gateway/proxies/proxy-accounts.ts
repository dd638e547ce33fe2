import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import type { ProxyAccountSummary } from './proxy-record.ts';

const IN_USE = 'select exists (select from accounts where proxy_id = ? and deleted_at is null) as used';

const COUNTS_OF = `select proxy_id, count(*)::int as count from accounts
  where proxy_id = any (?::bigint[]) and deleted_at is null group by proxy_id`;

const ALL_COUNTS = `select proxy_id, count(*)::int as count from accounts
  where proxy_id is not null and deleted_at is null group by proxy_id order by proxy_id`;

const SUMMARIES = `select id, name, platform, type, notes from accounts
  where proxy_id = ? and deleted_at is null order by id desc limit ?`;

/** Whether a live account uses the proxy. */
export async function isUsedByAccounts(em: DataEntityManager, proxyId: Id): Promise<boolean> {
  const [row] = await em.execute<{ used: boolean }[]>(IN_USE, [proxyId]);
  return row?.used === true;
}

/** How many live accounts use each of the proxies, in one statement, or in none without proxies; one without any is missing. */
export async function accountCountsOf(
  em: DataEntityManager,
  proxyIds: readonly Id[],
): Promise<ReadonlyMap<Id, number>> {
  if (proxyIds.length === 0) return new Map();
  return toMap(await em.execute<CountRow[]>(COUNTS_OF, [`{${proxyIds.join(',')}}`]));
}

/** The same of all proxies that live accounts name, deleted ones too. */
export async function allAccountCounts(em: DataEntityManager): Promise<Map<Id, number>> {
  return toMap(await em.execute<CountRow[]>(ALL_COUNTS));
}

/** The live accounts of a proxy, newest first. */
export async function accountSummariesOf(
  em: DataEntityManager,
  proxyId: Id,
): Promise<readonly ProxyAccountSummary[]> {
  return wholeList(await em.execute<ProxyAccountSummary[]>(SUMMARIES, [proxyId, ASKED_ROWS]));
}

interface CountRow {
  readonly proxy_id: Id;
  readonly count: number;
}

function toMap(rows: readonly CountRow[]): Map<Id, number> {
  return new Map(rows.map((row) => [row.proxy_id, row.count]));
}
