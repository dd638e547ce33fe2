import { ask } from './ledger.ts';
import type { Session } from './session.ts';

/** A change of the ledger that no migration made. */
export interface AuditEntry {
  readonly action: 'repair' | 'baseline';
  readonly filename: string;
  /** What the ledger said before: a checksum or a name. */
  readonly before: string | null;
  readonly after: string;
}

const CREATE = `create table if not exists public.schema_migration_audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  who text not null,
  action text not null,
  filename text not null,
  before text,
  after text not null
)`;
const INSERT = `insert into public.schema_migration_audit (who, action, filename, before, after)
  values (session_user || coalesce(' for ' || nullif($1, ''), ''), $2, $3, $4, $5)`;

/** Writes down who changed the ledger, and what. Call it in the transaction of the change. */
export async function audit(session: Session, by: string, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await ask(session, CREATE);
  for (const { action, filename, before, after } of entries)
    await ask(session, INSERT, [by, action, filename, before, after]);
}
