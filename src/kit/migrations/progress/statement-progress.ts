import type { Session } from '../session.ts';

/** A session that keeps the migrating one waiting. */
export interface Blocker {
  readonly pid: number;
  readonly application: string;
  /** As `pg_stat_activity` says: `active`, `idle in transaction`. */
  readonly state: string;
  /** How long its transaction has been open, in milliseconds. */
  readonly ms: number;
}

/** How far the statement is that runs at this moment. */
export interface StatementProgress {
  readonly type: 'statement-progress';
  /** The file that it stands in. */
  readonly name: string;
  /** How long it has run, waiting included. */
  readonly ms: number;
  /** What the server does, where it tells: index builds, VACUUM, CLUSTER, COPY. */
  readonly phase: string | undefined;
  /** Blocks, rows, bytes or sessions, by the phase. */
  readonly done: number | undefined;
  readonly total: number | undefined;
  readonly blockedBy: readonly Blocker[];
}

type Row = Omit<StatementProgress, 'type' | 'name'> & Record<string, unknown>;

// Of an index build the counters that belong to its phase; a build that waits for old snapshots is not in pg_blocking_pids.
const LOOK = `
  with phases as (
    select pid, phase, lockers_done, lockers_total, current_locker_pid as locker,
      case when phase like 'waiting%' then lockers_done when tuples_total > 0 then tuples_done else blocks_done end as done,
      case when phase like 'waiting%' then lockers_total when tuples_total > 0 then tuples_total else blocks_total end as total
    from pg_stat_progress_create_index
    union all select pid, phase, 0, 0, null, heap_blks_scanned, heap_blks_total from pg_stat_progress_vacuum
    union all select pid, phase, 0, 0, null, heap_blks_scanned, heap_blks_total from pg_stat_progress_cluster
    union all select pid, 'copying', 0, 0, null, bytes_processed, nullif(bytes_total, 0) from pg_stat_progress_copy
  )
  select extract(epoch from clock_timestamp() - a.query_start)::float8 * 1000 as ms, p.phase, p.done::float8 as done, p.total::float8 as total,
    coalesce((select json_agg(json_build_object('pid', b.pid, 'application', b.application_name, 'state', coalesce(b.state, ''),
        'ms', round(extract(epoch from clock_timestamp() - b.xact_start) * 1000)) order by b.pid)
      from pg_stat_activity b where b.pid = any (pg_blocking_pids(a.pid)) or (b.pid = p.locker and b.pid <> 0)), '[]') as "blockedBy"
  from pg_stat_activity a left join phases p on p.pid = a.pid
  where a.pid = $1 and a.state = 'active'`;

/** Looks once; undefined when the session does nothing. */
export async function lookAt(
  watcher: Session,
  pid: number,
  name: string,
): Promise<StatementProgress | undefined> {
  const [row] = await watcher.query<Row>(LOOK, [pid]);
  if (!row) return undefined;
  const { ms, phase, done, total, blockedBy } = row;
  return {
    type: 'statement-progress',
    name,
    ms,
    phase: phase ?? undefined,
    done: done ?? undefined,
    total: total ?? undefined,
    blockedBy,
  };
}
