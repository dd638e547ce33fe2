import { DatabaseError } from 'pg';
import { type Execution, withRetries } from '../execution.ts';
import { failure } from '../failure.ts';
import type { MigrationFile } from '../files.ts';
import type { Statement } from '../parsed-migration.ts';
import type { Step } from '../step.ts';
import type { Differences } from './ledger.ts';

const COUNT = 'select count(*)::float8 as rows from (\n';

/**
 * Counts the rows of the verifying SELECTs, all of them in one snapshot: each side must be compared with the same other
 * side, whoever writes meanwhile.
 *
 * @throws MigrationFailedError when the server refuses one.
 */
export async function verify(
  file: MigrationFile,
  execution: Execution,
  steps: readonly Step[],
): Promise<Differences> {
  let differences: Differences = { missing: 0, unexpected: 0, different: 0 };
  await withRetries(file, execution, async () => {
    differences = await count(file, execution, steps);
  });
  return differences;
}

async function count(
  file: MigrationFile,
  execution: Execution,
  steps: readonly Step[],
): Promise<Differences> {
  const { session } = execution;
  const found = { missing: 0, unexpected: 0, different: 0 };
  let blame: Statement = { text: '', line: steps[0]?.statement.line ?? 1 };
  try {
    await session.run('begin isolation level repeatable read read only');
    for (const { statement } of steps) {
      blame = statement;
      const text = statement.text.replace(/;\s*$/, '');
      const [result] = await session.query<{ rows: number }>(`${COUNT}${text}\n) as differing`);
      if (statement.directive?.kind === 'verify') found[statement.directive.side] += result?.rows ?? 0;
    }
    await session.run('commit');
    return found;
  } catch (error) {
    await session.run('rollback').catch(() => undefined);
    if (error instanceof DatabaseError && error.position)
      error.position = String(Number(error.position) - COUNT.length);
    const left = 'All batches stay done; the next run verifies again.';
    throw failure(file, blame, error, { ...execution, left });
  }
}

export const isClean = (differences: Differences): boolean =>
  Object.values(differences).every((rows) => rows === 0);
