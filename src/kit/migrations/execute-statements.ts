import { createBackfillLedger, forgetBackfills } from './backfill/ledger.ts';
import { type Execution, ledgerSql } from './execution.ts';
import type { MigrationFile } from './files.ts';
import { clearJournal, Journal, readJournal } from './journal.ts';
import { ledgerFailure } from './ledger.ts';
import { isDone, progressOf } from './resume.ts';
import { StatementRunner } from './statement-runner.ts';
import { type Step, stepsOf } from './step.ts';

/**
 * Runs a NO TRANSACTION file statement by statement, each with a line in the journal, and goes on where an earlier run
 * was interrupted.
 *
 * @throws MigrationFailedError; what was done stays, and the next run goes on behind it.
 * @throws MigrationError `MIGRATION.IN_DOUBT` or `MIGRATION.UNFINISHED` when it cannot go on by itself.
 */
export async function executeStatements(file: MigrationFile, execution: Execution): Promise<void> {
  const { session, direction } = execution;
  const steps = stepsOf(file, direction);
  const journal = await Journal.open(session);
  if (hasBackfills(file)) await createBackfillLedger(session);
  const runner = new StatementRunner(file, execution, journal, steps);
  const next = await resume(file, steps, runner, journal, execution);
  for (const step of steps.slice(next)) {
    const start = performance.now();
    await runner.run(step);
    execution.ran?.(step.entry.statement, performance.now() - start);
  }
  await session.reset();
  await conclude(file, execution);
}

/** How many statements need not run any more. */
async function resume(
  file: MigrationFile,
  steps: readonly Step[],
  runner: StatementRunner,
  journal: Journal,
  execution: Execution,
): Promise<number> {
  const { session, direction, tell } = execution;
  const rows = (await readJournal(session)).filter(
    (row) => row.filename === file.name && row.direction === direction,
  );
  const { done, open } = progressOf(file, steps, rows);
  // The names in a statement mean what its search_path makes of them, so the session comes before the judgement.
  await runner.restoreSession(done);
  let next = done;
  if (open && (await isDone(file, open, execution))) {
    await journal.finish(open.step.entry);
    next = open.step.entry.statement;
  }
  if (rows.length > 0) tell({ type: 'resuming', name: file.name, statement: next + 1, of: steps.length });
  return next;
}

/** One message, so one transaction: the ledger row comes and the journal goes together. */
async function conclude(file: MigrationFile, execution: Execution): Promise<void> {
  const { session, direction } = execution;
  try {
    const other = direction === 'up' ? 'down' : 'up';
    // What one direction has verified is no longer true when the other one was run.
    const forget = hasBackfills(file) ? `; ${forgetBackfills(file.name, other)}` : '';
    const ledger = await ledgerSql(file, execution);
    await session.run(`${ledger}; ${clearJournal(file.name, direction)}${forget}`);
  } catch (error) {
    throw ledgerFailure(error, file.name);
  }
}

const hasBackfills = ({ up, down = [] }: MigrationFile): boolean =>
  [...up, ...down].some(({ directive }) => directive?.kind === 'backfill');
