import type { Outcome } from './errors.ts';
import { failure } from './failure.ts';
import type { MigrationFile } from './files.ts';
import { forget, record } from './ledger.ts';
import type { Statement } from './parse.ts';
import type { Session } from './session.ts';

export type Direction = Outcome['direction'];

type Before = Omit<Outcome, 'left'>;

/**
 * Runs one direction of one file and changes its ledger row: in one transaction, or, for a NO TRANSACTION file, statement
 * by statement with the row last.
 *
 * @throws MigrationFailedError; a transactional file has then left nothing.
 */
export async function executeFile(
  session: Session,
  file: MigrationFile,
  direction: Direction,
  done: readonly string[],
): Promise<void> {
  const before = { direction, done };
  const statements = direction === 'up' ? file.up : (file.down ?? []);
  if (file.transactional) await session.run('begin');
  for (const statement of statements) await runStatement(session, file, statement, before);
  // A file may have set search_path or a role; the ledger is written qualified, and by the role that runs migrations.
  if (file.transactional) await session.run('reset session authorization; reset role');
  else await session.reset();
  if (direction === 'up') await record(session, file);
  else await forget(session, file.name);
  if (file.transactional) await commit(session, file, statements, before);
  await session.reset();
}

async function runStatement(
  session: Session,
  file: MigrationFile,
  statement: Statement,
  before: Before,
): Promise<void> {
  try {
    await session.run(statement.text);
  } catch (error) {
    await session.reset().catch(() => undefined);
    throw failure(file, statement, error, before);
  }
}

/** Deferred constraints are checked here, so a commit can fail like a statement. */
async function commit(
  session: Session,
  file: MigrationFile,
  statements: readonly Statement[],
  before: Before,
): Promise<void> {
  const last = statements.at(-1) ?? { text: 'commit', line: 1 };
  const hasValues = statements.some((statement) => statement.hasValues) || undefined;
  await runStatement(session, file, { text: 'commit', line: last.line, hasValues }, before);
}
