import { escapeLiteral } from 'pg';
import type { Direction } from '../execution.ts';
import type { JournalEntry } from '../journal.ts';
import { onOwnTable } from '../own-table.ts';
import type { Session } from '../session.ts';
import type { Side } from './directive.ts';

/** Rows that differed when a back-fill was verified last. */
export type Differences = Readonly<Record<Side, number>>;

/** How far a back-fill is, as its row tells. */
export interface BackfillRow {
  readonly filename: string;
  readonly direction: Direction;
  /** Of the file, counted from 1. */
  readonly statement: number;
  /** Of the statement, the table and the key: a back-fill that was edited begins again. */
  readonly checksum: string;
  /** The last key that is done; null before the first batch of a pass. */
  readonly cursor: string | null;
  /** Keys that the pass which is going on, or the last one, has met. */
  readonly passRows: number;
  readonly passes: number;
  readonly batches: number;
  readonly rowsRead: number;
  readonly rowsWritten: number;
  /** Milliseconds inside batches, pauses left out. */
  readonly busyMs: number;
  readonly startedAt: Date;
  readonly updatedAt: Date;
  /** When the last pass came to its end; null while one is going on. */
  readonly copiedAt: Date | null;
  readonly verifiedAt: Date | null;
  readonly pausedAt: Date | null;
  /** Null before the first verification. */
  readonly differences: Differences | null;
}

/** What one batch has done. */
export interface BatchCounts {
  readonly cursor: string | null;
  readonly read: number;
  readonly written: number;
  readonly ms: number;
  readonly isLast: boolean;
}

const TABLE = 'public.schema_migration_backfills';
const CREATE = `create table if not exists ${TABLE} (
  filename text not null,
  direction text not null,
  statement int not null,
  checksum text not null,
  cursor text,
  passes int not null default 0,
  pass_rows bigint not null default 0,
  batches bigint not null default 0,
  rows_read bigint not null default 0,
  rows_written bigint not null default 0,
  busy_ms double precision not null default 0,
  started_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  copied_at timestamptz,
  verified_at timestamptz,
  paused_at timestamptz,
  differences jsonb,
  primary key (filename, direction, statement)
)`;
const EXISTS = `select to_regclass('${TABLE}') is not null as found`;
const READ = `select filename, direction, statement, checksum, cursor, passes, pass_rows::float8 as "passRows",
    batches::float8 as batches, rows_read::float8 as "rowsRead", rows_written::float8 as "rowsWritten", busy_ms as "busyMs",
    started_at as "startedAt", updated_at as "updatedAt", copied_at as "copiedAt", verified_at as "verifiedAt",
    paused_at as "pausedAt", differences
  from ${TABLE}`;

/** Which back-fill of which file a row is about. */
export type BackfillKey = Pick<JournalEntry, 'filename' | 'direction' | 'statement'>;

/** Makes the table, under the lock, when the first file with a back-fill comes, and not before. */
export async function createBackfillLedger(session: Session): Promise<void> {
  if (!(await hasBackfillLedger(session))) await guarded(() => session.run(CREATE));
}

export async function hasBackfillLedger(session: Session): Promise<boolean> {
  const [table] = await session.query<{ found: boolean }>(EXISTS);
  return table?.found === true;
}

/** Rows of all back-fills, or of one file's; none when there is no table yet. */
export async function readBackfills(session: Session, filename?: string): Promise<BackfillRow[]> {
  if (!(await hasBackfillLedger(session))) return [];
  const where = filename === undefined ? '' : ` where filename = ${escapeLiteral(filename)}`;
  return guarded(() =>
    session.query<BackfillRow>(`${READ}${where} order by filename, direction desc, statement`),
  );
}

/** Begins a back-fill from its first key, whatever its row said before; a pause stays. */
export async function beginBackfill(session: Session, key: BackfillKey, checksum: string): Promise<void> {
  const values = `${escapeLiteral(key.filename)}, '${key.direction}', ${key.statement}, '${checksum}'`;
  await guarded(() =>
    session.run(`insert into ${TABLE} as kept (filename, direction, statement, checksum) values (${values})
      on conflict (filename, direction, statement) do update set checksum = excluded.checksum, cursor = null, passes = 0,
        pass_rows = 0, batches = 0, rows_read = 0, rows_written = 0, busy_ms = 0, started_at = excluded.started_at,
        updated_at = excluded.updated_at, copied_at = null, verified_at = null, differences = null`),
  );
}

/** Says in the transaction of a batch what it has done. */
export async function countBatch(session: Session, key: BackfillKey, counts: BatchCounts): Promise<void> {
  const { cursor, read, written, ms, isLast } = counts;
  const sql = `update ${TABLE} set cursor = $1, pass_rows = pass_rows + $2::bigint, rows_read = rows_read + $2::bigint,
      rows_written = rows_written + $3, batches = batches + case when $2::bigint > 0 then 1 else 0 end,
      busy_ms = busy_ms + $4, updated_at = clock_timestamp(),
      copied_at = case when $5 then clock_timestamp() end, passes = passes + case when $5 then 1 else 0 end
    where ${of(key)}`;
  await guarded(() => session.query(sql, [cursor, read, written, ms, isLast]));
}

/** Says what a verification has found. Where rows differ, the next pass begins at the first key. */
export async function recordVerification(
  session: Session,
  key: BackfillKey,
  differences: Differences,
  isVerified: boolean,
): Promise<void> {
  const outcome = isVerified
    ? 'verified_at = clock_timestamp()'
    : 'cursor = null, pass_rows = 0, copied_at = null';
  const sql = `update ${TABLE} set ${outcome}, differences = $1, updated_at = clock_timestamp() where ${of(key)}`;
  await guarded(() => session.query(sql, [JSON.stringify(differences)]));
}

/** The words of a query that tell, as `paused`, whether somebody wants the back-fill to pause. */
export function isPausedSql(key: BackfillKey): string {
  return `exists (select from ${TABLE} where ${of(key)} and paused_at is not null) as paused`;
}

/** Pauses what a file's Up has not finished, or lets it go on; answers how many back-fills that were. */
export async function setPaused(session: Session, filename: string, isPaused: boolean): Promise<number> {
  if (!(await hasBackfillLedger(session))) return 0;
  const sql = `update ${TABLE} set paused_at = ${isPaused ? 'coalesce(paused_at, clock_timestamp())' : 'null'}
    where filename = $1 and verified_at is null`;
  return guarded(() => session.change(sql, [filename]));
}

/** The statement that forgets the back-fills of one direction of a file, for the transaction that changes its ledger row. */
export function forgetBackfills(filename: string, direction: Direction): string {
  return `delete from ${TABLE} where filename = ${escapeLiteral(filename)} and direction = '${direction}'`;
}

function of({ filename, direction, statement }: BackfillKey): string {
  return `filename = ${escapeLiteral(filename)} and direction = '${direction}' and statement = ${statement}`;
}

const guarded = <T>(work: () => Promise<T>): Promise<T> => onOwnTable(TABLE, work);
