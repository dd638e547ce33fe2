import { MigrationError } from './errors.ts';
import { judge, remainsOf } from './evidence.ts';
import type { Direction, Execution } from './execution.ts';
import type { MigrationFile } from './files.ts';
import type { JournalRow } from './journal.ts';
import { hasValues } from './parsed-migration.ts';
import { shortSql } from './short-sql.ts';
import { type Step, stepsOf } from './step.ts';

/** What the journal says about one file: how many statements are done, and which one was begun and never answered. */
export interface Progress {
  readonly done: number;
  readonly open: { readonly step: Step; readonly startedAt: Date } | undefined;
}

/**
 * Reads how far an earlier run came.
 *
 * @throws MigrationError `MIGRATION.UNFINISHED` when the text of a statement that is done has changed since.
 */
export function progressOf(
  file: MigrationFile,
  steps: readonly Step[],
  rows: readonly JournalRow[],
): Progress {
  const finished = rows.filter((row) => row.finishedAt !== null);
  const done = Math.max(0, ...finished.map((row) => row.statement));
  const edited = finished.find((row) => steps[row.statement - 1]?.entry.checksum !== row.checksum);
  if (edited) {
    throw unfinished(
      file,
      `statement ${edited.statement} is done, but its text was changed since. Bring the text back that was run; only what stands behind statement ${done} may still change.`,
    );
  }
  const open = rows.find((row) => row.finishedAt === null && row.statement > done);
  const step = open && steps[open.statement - 1];
  // A back-fill that was changed begins again; its statement does no harm when it is repeated.
  if (open && step?.statement.directive?.kind !== 'backfill' && step?.entry.checksum !== open.checksum) {
    throw unfinished(
      file,
      `statement ${open.statement} was begun, and its text was changed since. Bring the text back that was run, so that it can be judged whether it was done.`,
    );
  }
  if (done > 0) refuseTemporary(file, steps.slice(0, done), done);
  return { done, open: open && step ? { step, startedAt: open.startedAt } : undefined };
}

function refuseTemporary(file: MigrationFile, steps: readonly Step[], done: number): void {
  const temporary = steps.find(({ statement }) =>
    /^create\s+(local\s+|global\s+)?temp(orary)?\s/i.test(statement.text),
  );
  if (!temporary) return;
  throw unfinished(
    file,
    `statement ${temporary.entry.statement} made something temporary, which is gone with its session. Undo by hand what statements 1 to ${done} did, delete the file's rows from public.schema_migrations_journal, and run again.`,
  );
}

/**
 * Decides about the statement that was begun and never answered.
 *
 * @returns whether it counts as done.
 * @throws MigrationError `MIGRATION.IN_DOUBT` when neither the catalogue nor the caller's options tell.
 */
export async function isDone(
  file: MigrationFile,
  { step, startedAt }: NonNullable<Progress['open']>,
  { session, inDoubt }: Execution,
): Promise<boolean> {
  const judgement = await judge(session, step.kind);
  if (judgement !== 'unknown') return judgement === 'done';
  if (inDoubt) return inDoubt === 'done';
  // The name of an index may be a value of the environment.
  const remains = hasValues(step.statement) ? [] : await remainsOf(session, step.kind);
  const look = remains.length > 0 ? ` Its table has invalid indexes: ${remains.join(', ')}.` : '';
  throw new MigrationError(
    'MIGRATION.IN_DOUBT',
    `${file.name}:${step.statement.line}: statement ${step.entry.statement} (${shortSql(step.statement.written ?? step.statement.text)}) was begun at ` +
      `${startedAt.toISOString()} by a run that was interrupted, and nothing tells whether it was done.${look} ` +
      `Look at the database, then run with --in-doubt done to go on behind it, or with --in-doubt again to run it again.`,
    file.name,
    { line: step.statement.line, statement: step.entry.statement },
  );
}

/**
 * Refuses a run that would leave a half-done file behind it.
 *
 * @param modules names of the modules; the journal's rows of others are none of our business.
 * @throws MigrationError `MIGRATION.UNFINISHED`.
 */
export function verifyJournal(
  files: readonly MigrationFile[],
  rows: readonly JournalRow[],
  modules: readonly string[],
  direction: Direction,
): void {
  const [first] = journalFindings(files, rows, modules, direction);
  if (first) throw first;
}

/** Half-done files with which a run in this direction could not go on. */
export function journalFindings(
  files: readonly MigrationFile[],
  rows: readonly JournalRow[],
  modules: readonly string[],
  direction: Direction,
): MigrationError[] {
  const own = rows.filter(({ filename }) => modules.some((module) => filename.startsWith(`${module}/`)));
  return [...new Set(own.map(({ filename }) => filename))].flatMap((name) => {
    const file = files.find((each) => each.name === name);
    if (!file) {
      const problem =
        'the file is gone. Bring it back with the text that was run, or finish by hand and delete its rows from public.schema_migrations_journal.';
      return unfinished({ name }, problem);
    }
    const ofFile = own.filter(({ filename }) => filename === name);
    const other = ofFile.find((row) => row.direction !== direction);
    if (!other) return editFinding(file, ofFile, direction) ?? [];
    const half = other.direction === 'up' ? 'applied' : 'reverted';
    return unfinished(file, `it is half ${half}. Run "migrate ${other.direction}" to finish that first.`);
  });
}

/** Asked before anything runs, and again when the file's turn has come. */
function editFinding(
  file: MigrationFile,
  rows: readonly JournalRow[],
  direction: Direction,
): MigrationError | undefined {
  try {
    progressOf(file, stepsOf(file, direction), rows);
    return undefined;
  } catch (error) {
    if (error instanceof MigrationError) return error;
    throw error;
  }
}

function unfinished(file: Pick<MigrationFile, 'name'>, problem: string): MigrationError {
  return new MigrationError(
    'MIGRATION.UNFINISHED',
    `${file.name} was begun by a run that did not finish it: ${problem}`,
    file.name,
  );
}
