import { createBackfillLedger } from '../backfill/ledger.ts';
import { Backfill } from '../backfill/run.ts';
import type { Execution } from '../execution.ts';
import type { MigrationFile } from '../files.ts';
import { Journal } from '../journal.ts';
import type { Statement } from '../parsed-migration.ts';
import { stepsOf } from '../step.ts';
import { timeoutsWith } from '../timeouts.ts';

/**
 * Runs a back-fill of a file as a run on a real database does, batches and verification included: its statement has
 * parameters, and means nothing without them.
 *
 * @param file with the statements that will run, their values in place.
 * @throws BackfillUnverifiedError
 */
export async function replayBackfill(
  file: MigrationFile,
  statement: Statement,
  { session, direction, done }: Pick<Execution, 'session' | 'direction' | 'done'>,
): Promise<void> {
  const steps = stepsOf(file, direction);
  const step = steps.find((each) => each.statement === statement);
  if (!step || statement.directive?.kind !== 'backfill') return;
  const execution = { session, direction, done, timeouts: timeoutsWith(), tell: () => undefined };
  const journal = await Journal.open(session);
  await createBackfillLedger(session);
  await new Backfill(file, execution, journal, { steps, step, directive: statement.directive }).run();
}
