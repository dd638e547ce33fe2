import { MigrationError } from '../../errors.ts';
import { describeHolder, type LockHolder } from '../../lock-holder.ts';
import type { Session } from '../../session.ts';
import { shortSql } from '../../short-sql.ts';
import type { TableLock } from './align-step.ts';

/** A session that holds a lock with which another one cannot be had. */
export interface TableHolder extends LockHolder {
  /** The server's own vacuum, which gives way to those who wait longer than `deadlock_timeout`. */
  readonly isVacuum: boolean;
}

/** Readers stand in the way of ACCESS EXCLUSIVE only. */
const HOLDERS = `select distinct on (a.xact_start, a.pid) a.pid, a.application_name as application, a.state, a.query,
    extract(epoch from clock_timestamp() - a.backend_start)::float8 as "ageSeconds",
    extract(epoch from clock_timestamp() - a.state_change)::float8 as "stateSeconds",
    coalesce(a.backend_type = 'autovacuum worker', false) as "isVacuum"
  from pg_catalog.pg_locks l join pg_catalog.pg_stat_activity a using (pid)
  where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid()
    and l.database = (select oid from pg_catalog.pg_database where datname = current_database())
    and l.relation = any (array(select to_regclass(t)::oid from unnest($1::text[]) t))
    and ($2 = 'ACCESS EXCLUSIVE' or l.mode not in ('AccessShareLock', 'RowShareLock'))
  order by a.xact_start, a.pid limit 5`;

/** Who holds something of these tables at this moment, the oldest transaction first. */
export async function tableHolders(
  session: Session,
  tables: readonly string[],
  lock: TableLock,
): Promise<TableHolder[]> {
  const rows = await session.query<Omit<TableHolder, 'suspicion'>>(HOLDERS, [tables, lock]);
  return rows.map((row) => {
    const isVisible = row.query !== null && row.query !== '<insufficient privilege>';
    return { ...row, query: isVisible ? shortSql(row.query ?? '') : null, suspicion: null };
  });
}

/** The lock did not come in all the attempts; nothing of the step has happened that the next run would not find. */
export function noTableLock(
  tables: readonly string[],
  lock: TableLock,
  holders: readonly TableHolder[],
): MigrationError {
  const who =
    holders.length === 0 ? '' : ` In its way at the end: ${holders.map(describeHolder).join('; ')}.`;
  return new MigrationError(
    'MIGRATION.LOCK_TIMEOUT',
    `${lock} on ${tables.join(' and ')} was not granted.${who} Let long transactions end, or end them with pg_terminate_backend, and run again.`,
    undefined,
    { tables, lock, holders },
  );
}
