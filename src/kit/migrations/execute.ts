import { executeStatements } from './execute-statements.ts';
import { type Direction, type Execution, ledgerSql, withRetries } from './execution.ts';
import { failure } from './failure.ts';
import type { MigrationFile } from './files.ts';
import { isRecorded, ledgerFailure } from './ledger.ts';
import { beginLocked, type LockOptions } from './lock.ts';
import { hasValues, type Statement } from './parsed-migration.ts';
import { RESET } from './session.ts';
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
  await withRetries(file, execution, () => executeTransaction(file, execution, [frame('begin')]));
}

/**
 * Runs a file through a pooler: the transaction holds the lock, and gives the server session back as it found it.
 *
 * @returns false when another run was faster.
 * @throws MigrationFailedError; the file has then left nothing.
 */
export async function executePooled(
  file: MigrationFile,
  execution: Execution,
  lock: LockOptions,
): Promise<boolean> {
  let isOurs = false;
  await withRetries(file, execution, async () => {
    const { session, direction } = execution;
    await beginLocked(session, lock);
    isOurs = (await isRecorded(session, file.name)) === (direction === 'down');
    if (isOurs) await executeTransaction(file, execution, []);
    else await session.run('rollback');
  });
  return isOurs;
}

async function executeTransaction(
  file: MigrationFile,
  execution: Execution,
  beginning: readonly Part[],
): Promise<void> {
  const { session, direction, done } = execution;
  const statements = statementsOf(file, direction);
  const parts: Part[] = [
    ...beginning,
    ...timeoutSettings(file.timeouts).map((setting) => frame(`set local ${setting}`)),
    ...statements.map((statement) => ({ sql: statement.text, blame: statement })),
    // A file may have set search_path or a role; the ledger is written qualified, and by the role that runs migrations.
    ...(session.isPooled ? LEAVE_CLEAN : BACK_TO_OWNER).map((sql) => frame(sql, statements)),
    { sql: await ledgerSql(file, execution), blame: 'ledger' },
    // Deferred constraints are checked here, so a commit can fail like a statement.
    frame('commit', statements),
  ];
  try {
    await sendParts(session, parts);
  } catch (error) {
    await session.reset().catch(() => undefined);
    if (!(error instanceof PartError)) throw error;
    const { part, cause } = error;
    if (part.blame === 'ledger') throw ledgerFailure(cause, file.name);
    throw failure(file, part.blame, cause, { direction, done });
  }
  if (!session.isPooled) await session.reset();
}

const BACK_TO_OWNER = ['reset session authorization', 'reset role'];

/** Our own lock ends with the transaction; session locks are those of the file. */
const LEAVE_CLEAN = [...RESET, 'select pg_advisory_unlock_all()'];

const statementsOf = (file: MigrationFile, direction: Direction): readonly Statement[] =>
  direction === 'up' ? file.up : (file.down ?? []);

/** What the engine itself sends; when it fails, the last statement before it is named. */
function frame(sql: string, statements: readonly Statement[] = []): Part {
  // The server may repeat a value when it checks a constraint at the end.
  const written = statements.some(hasValues) ? { written: sql } : {};
  return { sql, blame: { text: sql, line: statements.at(-1)?.line ?? 1, ...written } };
}
