import { setTimeout as sleep } from 'node:timers/promises';
import { MigrationError } from '../errors.ts';
import type { Session } from '../session.ts';

/** A back-fill waits, because a standby is too far behind. */
export interface ReplicaEvent {
  readonly type: 'waiting-for-replica';
  readonly name: string;
  /** Of the standby that is the farthest behind. */
  readonly application: string;
  readonly lagMs: number;
  readonly maxLagMs: number;
}

interface Replica {
  readonly application: string;
  /** What the server has measured; it stays as it was when the standby does not answer. */
  readonly lagMs: number | null;
  /** Positions in the log, as bytes. */
  readonly replayed: number | null;
  readonly flushed: number;
  readonly isVisible: boolean;
}

interface Sample {
  readonly at: number;
  readonly flushed: number;
}

const POLL_MS = 250;

// Without the right, rows of standbys are there and empty. Those without a position are taking a base backup.
const LOOK = `select coalesce(application_name, '') as application, extract(epoch from replay_lag)::float8 * 1000 as "lagMs",
    pg_wal_lsn_diff(replay_lsn, '0/0')::float8 as replayed, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')::float8 as flushed,
    pg_has_role('pg_read_all_stats', 'usage') as "isVisible"
  from pg_catalog.pg_stat_replication where replay_lsn is not null or not pg_has_role('pg_read_all_stats', 'usage')`;

/** Holds a back-fill back while a standby is behind. Without standbys it does nothing. */
export class Replicas {
  readonly #session: Session;
  readonly #place: { readonly file: string; readonly line: number };
  readonly #maxLagMs: number;
  /** When the log had reached which position, oldest first: a standby that does not answer is known by nothing else. */
  #samples: Sample[] = [];

  constructor(session: Session, place: { readonly file: string; readonly line: number }, maxLagMs: number) {
    this.#session = session;
    this.#place = place;
    this.#maxLagMs = maxLagMs;
  }

  /**
   * Waits until every standby is near enough.
   *
   * @param onWait called whenever one is not; what it throws ends the wait.
   * @throws MigrationError `MIGRATION.UNSUPPORTED` when this role may not see how far they are.
   */
  async wait(onWait: (event: ReplicaEvent) => Promise<void>): Promise<void> {
    for (;;) {
      const [last] = (await this.#look()).toSorted((a, b) => b.lagMs - a.lagMs);
      if (!last || last.lagMs <= this.#maxLagMs) return;
      const { file: name } = this.#place;
      await onWait({ type: 'waiting-for-replica', name, ...last, maxLagMs: this.#maxLagMs });
      await sleep(POLL_MS);
    }
  }

  async #look(): Promise<{ application: string; lagMs: number }[]> {
    const replicas = await this.#session.query<Replica & Record<string, unknown>>(LOOK);
    if (replicas.some(({ isVisible }) => !isVisible)) throw hidden(this.#place);
    this.#sample(replicas);
    return replicas.map(({ application, ...replica }) => ({ application, lagMs: this.#lagOf(replica) }));
  }

  #sample(replicas: readonly Replica[]): void {
    const [{ flushed } = { flushed: 0 }] = replicas;
    const slowest = Math.min(...replicas.map(({ replayed }) => replayed ?? 0));
    this.#samples = this.#samples.filter((sample) => sample.flushed > slowest);
    if (flushed > (this.#samples.at(-1)?.flushed ?? 0))
      this.#samples.push({ at: performance.now(), flushed });
  }

  #lagOf({ lagMs, replayed, flushed }: Omit<Replica, 'application'>): number {
    const position = replayed ?? 0;
    // The server goes on showing its last measure for some seconds.
    if (position >= flushed) return 0;
    const missing = this.#samples.find((sample) => sample.flushed > position);
    return Math.max(lagMs ?? 0, missing ? performance.now() - missing.at : 0);
  }
}

function hidden({ file, line }: { readonly file: string; readonly line: number }): MigrationError {
  return new MigrationError(
    'MIGRATION.UNSUPPORTED',
    `${file}:${line}: max-lag looks at pg_stat_replication, and this role may not see how far standbys are. Grant it pg_monitor, or take max-lag out.`,
    file,
    { line },
  );
}
