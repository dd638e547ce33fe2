import type { Session } from './session.ts';
import { shortSql } from './short-sql.ts';

/** The session that holds the lock, as far as the server lets this role see. */
export interface LockHolder {
  /** Null when no session is left behind the lock, as with a prepared transaction. */
  readonly pid: number | null;
  /** Seconds since the session was opened. */
  readonly ageSeconds: number | null;
  readonly application: string | null;
  /** As in `pg_stat_activity`: active, idle, idle in transaction. */
  readonly state: string | null;
  /** Seconds since that state began. */
  readonly stateSeconds: number | null;
  /** What it runs or ran last, without literals, numbers and comments. */
  readonly query: string | null;
  /** A sentence when it looks as if nobody were behind that session any more, with the way to end it. */
  readonly suspicion: string | null;
}

type Row = Omit<LockHolder, 'suspicion'>;

/** A run is idle for no longer than a round trip; this long, and its program is gone or stopped. */
export const SUSPECT_IDLE_MS = 60_000;

const HOLDER = `select l.pid, a.application_name as application, a.state, a.query,
    extract(epoch from clock_timestamp() - a.backend_start)::float8 as "ageSeconds",
    extract(epoch from clock_timestamp() - a.state_change)::float8 as "stateSeconds"
  from pg_catalog.pg_locks l left join pg_catalog.pg_stat_activity a using (pid)
  where l.locktype = 'advisory' and l.granted and l.objsubid = 1
    and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    and l.classid = ($1::int8 >> 32)::int8::oid and l.objid = ($1::int8 & 4294967295)::int8::oid
  limit 1`;

/**
 * Finds who holds the advisory lock in this database.
 *
 * @param suspectIdleMs after how long an idle holder is suspected of being dead.
 */
export async function lockHolder(
  session: Session,
  lockId: string,
  suspectIdleMs: number,
): Promise<LockHolder | undefined> {
  const [row] = await session.query<Row>(HOLDER, [lockId]);
  if (!row) return undefined;
  // Another role's query is hidden unless this one may read all statistics.
  const isVisible = row.query !== null && row.query !== '<insufficient privilege>';
  return {
    ...row,
    query: isVisible ? shortSql(row.query ?? '') : null,
    suspicion: suspicionOf(row, suspectIdleMs),
  };
}

function suspicionOf({ pid, state, stateSeconds, application }: Row, idleMs: number): string | null {
  if (pid === null) return 'No session holds it but a prepared transaction; look into pg_prepared_xacts.';
  const since = stateSeconds ?? 0;
  if (!state?.startsWith('idle') || since * 1000 < idleMs) return null;
  const who = application ? ` (${application})` : '';
  return `It has been ${state} for ${Math.round(since)} s, so its program${who} is probably gone: select pg_terminate_backend(${pid}).`;
}

/** The holder in one sentence. */
export function describeHolder(holder: LockHolder): string {
  const { pid, application, state, ageSeconds, query, suspicion } = holder;
  const parts = [
    pid === null ? 'no session' : `pid ${pid}`,
    ...(application ? [application] : []),
    ...(ageSeconds === null ? [] : [`open for ${Math.round(ageSeconds)} s`]),
    ...(state ? [state] : []),
    ...(query ? [`query: ${query}`] : []),
  ];
  return `${parts.join(', ')}${suspicion ? `. ${suspicion}` : ''}`;
}
