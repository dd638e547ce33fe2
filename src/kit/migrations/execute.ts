import { executeStatements } from './execute-statements.ts';
import { type Direction, type Execution, ledgerSql, withRetries } from './execution.ts';
import { failure } from './failure.ts';
import type { MigrationFile } from './files.ts';
import { ledgerFailure } from './ledger.ts';
import { timeoutSettings } from './timeouts.ts';
import { type Part, PartError, sendParts } from './transaction-script.ts';

/**
 * Runs one direction of one file and changes its ledger row: in one transaction, or, for a NO TRANSACTION file, statement
 * by statement with a journal.
 *
 * @throws MigrationFailedError; a transactional file has then left nothing.
 */
export async function executeFile(file: MigrationFile, execution: Execution): Promise<void> {
  if (!file.transactional) return executeStatements(file, execution);
  await withRetries(file, execution, () => executeTransaction(file, execution));
}

async function executeTransaction(
  file: MigrationFile,
  { session, direction, done }: Execution,
): Promise<void> {
  try {
    await sendParts(session, partsOf(file, direction));
  } catch (error) {
    await session.reset().catch(() => undefined);
    if (!(error instanceof PartError)) throw error;
    const { part, cause } = error;
    if (part.blame === 'ledger') throw ledgerFailure(cause, file.name);
    throw failure(file, part.blame, cause, { direction, done });
  }
  await session.reset();
}

function partsOf(file: MigrationFile, direction: Direction): Part[] {
  const statements = direction === 'up' ? file.up : (file.down ?? []);
  const frame = (sql: string): Part => ({
    sql,
    blame: { text: sql, line: statements.at(-1)?.line ?? 1 },
  });
  return [
    frame('begin'),
    ...timeoutSettings(file.timeouts).map((setting) => frame(`set local ${setting}`)),
    ...statements.map((statement) => ({ sql: statement.text, blame: statement })),
    // A file may have set search_path or a role; the ledger is written qualified, and by the role that runs migrations.
    frame('reset session authorization'),
    frame('reset role'),
    { sql: ledgerSql(file, direction), blame: 'ledger' },
    // Deferred constraints are checked here, so a commit can fail like a statement.
    frame('commit'),
  ];
}
