import type { Session } from './session.ts';

/** One row of the ledger. */
export interface LedgerRow {
  readonly filename: string;
  readonly checksum: string;
  readonly appliedAt: Date;
}

const CREATE = `create table if not exists public.schema_migrations (
  filename text primary key,
  checksum text not null,
  applied_at timestamptz not null default now()
)`;
const EXISTS = `select to_regclass('public.schema_migrations') is not null as found`;
const READ = `select filename, checksum, applied_at as "appliedAt" from public.schema_migrations order by applied_at, filename`;

/** Creates the ledger. Call it under the lock: eight at once and seven fail on `pg_type`, IF NOT EXISTS or not. */
export async function createLedger(session: Session): Promise<void> {
  await session.query(CREATE);
}

/** All rows, those of other tools included; none when there is no ledger yet. */
export async function readLedger(session: Session): Promise<LedgerRow[]> {
  const [ledger] = await session.query<{ found: boolean }>(EXISTS);
  return ledger?.found ? session.query<LedgerRow>(READ) : [];
}

/** Records a file as applied. */
export async function record(session: Session, filename: string, checksum: string): Promise<void> {
  await session.query('insert into public.schema_migrations (filename, checksum) values ($1, $2)', [
    filename,
    checksum,
  ]);
}

/** Takes a file out of the ledger. */
export async function forget(session: Session, filename: string): Promise<void> {
  await session.query('delete from public.schema_migrations where filename = $1', [filename]);
}
