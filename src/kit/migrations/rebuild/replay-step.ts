import { createBackfillLedger } from '../backfill/ledger.ts';
import type { Execution } from '../execution.ts';
import type { MigrationFile } from '../files.ts';
import { Journal } from '../journal.ts';
import type { Statement } from '../parsed-migration.ts';
import { StatementRunner } from '../statement-runner.ts';
import { stepsOf } from '../step.ts';
import { timeoutsWith } from '../timeouts.ts';

/**
 * Runs a statement with a directive as a run on a real database does: a back-fill has parameters, batches and a verification,
 * and an index of a partitioned table has parts. By itself the statement would mean nothing, or be refused.
 *
 * @param file with the statements that will run, their values in place.
 * @throws BackfillUnverifiedError
 * @throws MigrationFailedError
 */
export async function replayStep(
  file: MigrationFile,
  statement: Statement,
  { session, direction, done }: Pick<Execution, 'session' | 'direction' | 'done'>,
): Promise<void> {
  const steps = stepsOf(file, direction);
  const step = steps.find((each) => each.statement === statement);
  if (!step) return;
  const execution = { session, direction, done, timeouts: timeoutsWith(), tell: () => undefined };
  const journal = await Journal.open(session);
  if (statement.directive?.kind === 'backfill') await createBackfillLedger(session);
  await new StatementRunner(file, execution, journal, steps).run(step);
}
