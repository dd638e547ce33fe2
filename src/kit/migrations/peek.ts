import type { MigrationFile } from './files.ts';
import { readJournal } from './journal.ts';
import { type LedgerRow, type PeekedRow, readLedger } from './ledger.ts';
import type { Session } from './session.ts';
import { lacksTokens } from './token-ledger.ts';

/**
 * Whether a run has nothing to do, found out without the lock: a start of many services does not queue. When all is applied
 * and the ledger complete, what came with the first message of the connection is enough.
 *
 * @param plan decides from the ledger what would run, and throws what the run would throw.
 */
export async function hasNothingToDo(
  session: Session,
  files: readonly MigrationFile[],
  plan: (rows: LedgerRow[]) => readonly MigrationFile[],
): Promise<boolean> {
  // Refused: there is no ledger yet, or no table of token checksums.
  const peeked = session.peeked as PeekedRow[] | undefined;
  const rows = peeked ?? (await readLedger(session));
  if (plan(rows).length > 0) return false;
  const mayHaveJournal = !peeked || peeked.length === 0 || peeked.some(({ hasJournal }) => hasJournal);
  // A half-done file stands in no ledger, and the run has to judge it.
  if (mayHaveJournal && (await readJournal(session)).length > 0) return false;
  return !(await lacksTokens(session, files, rows));
}
