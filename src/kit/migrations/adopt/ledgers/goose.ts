import type { Session } from '../../session.ts';
import type { LedgerHistory, LedgerTable } from './foreign-ledger.ts';
import { readRows } from './read-rows.ts';

interface GooseRow {
  readonly version: string;
  readonly isApplied: boolean;
}

/**
 * The last row of a version decides: goose deletes the row of a file that it reverts, and old versions added one that says
 * "not applied". Version 0 only says that the table was made.
 */
export async function readGoose(session: Session, table: LedgerTable): Promise<LedgerHistory> {
  const columns = 'version_id::text as version, is_applied as "isApplied"';
  const rows = await readRows<GooseRow & Record<string, unknown>>(session, table, columns, 'id');
  const applied = new Set<string>();
  for (const { version, isApplied } of rows) {
    // Out first, so that a version that was applied again stands where it was applied last.
    applied.delete(version);
    if (isApplied && version !== '0') applied.add(version);
  }
  return { applied: [...applied].map((version) => ({ kind: 'version', version })), problems: [], notes: [] };
}
