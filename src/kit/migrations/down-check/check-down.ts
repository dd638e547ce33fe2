import { readFile } from 'node:fs/promises';
import { describeSchema, type SchemaDescription } from '../drift/description.ts';
import { describeDifference, differenceOf } from '../drift/difference.ts';
import { MigrationFailedError } from '../errors.ts';
import { loadMigrations, type MigrationFile, type MigrationSource } from '../files.ts';
import type { Connection } from '../rebuild/connection.ts';
import { type Replay, withReplay } from '../rebuild/replay.ts';
import { withScratchDatabase } from '../rebuild/scratch.ts';
import type { Variables } from '../substitute.ts';
import { covers, type ExpectedLoss, expectedLossesIn } from './expected-losses.ts';
import type { Richness } from './sentinel-values.ts';
import { plantSentinels } from './sentinels.ts';
import { lossesBetween, readData } from './table-data.ts';
import { readTables } from './table-shapes.ts';

export interface CheckDownOptions {
  /** A server on which the role may create databases; its own database is not touched. */
  readonly connection: Connection;
  readonly modules: readonly MigrationSource[];
  readonly variables?: Variables | undefined;
  /** Ends the check, and drops its databases. */
  readonly signal?: AbortSignal | undefined;
}

/** What the check has found about one file. */
export interface DownReport {
  readonly file: string;
  /** False: the file has no Down, and nothing was checked. */
  readonly reversible: boolean;
  /** Why the check fails. */
  readonly problems: readonly DownProblem[];
  /** Losses that the file admits. */
  readonly expected: readonly string[];
  /** Where the check sees less than it could. */
  readonly notes: readonly string[];
}

export interface DownProblem {
  /** `schema`: Down or the second Up leads elsewhere. `loss`: values are gone. `declaration`: an admission is wrong. */
  readonly kind: 'schema' | 'loss' | 'declaration';
  /** The object, `table.column`, or what was admitted. */
  readonly about: string;
  readonly sentence: string;
}

/**
 * Runs each file up, down and up again in a copy of the schema before it, with rows planted in every table before and after the
 * first Up, and names what does not come back. A column or table that the file itself adds may go with its values.
 *
 * @throws MigrationError `MIGRATION.SCRATCH`; MigrationFailedError when a file fails without any planted row.
 */
export async function checkDown(options: CheckDownOptions): Promise<DownReport[]> {
  const files = await loadMigrations(options.modules);
  return withScratchDatabase(options, async (state) => {
    const reports: DownReport[] = [];
    for (const file of files) {
      reports.push(await checkFile(options, state, file));
      await withReplay(state, options, (replay) => replay.run(file));
    }
    return reports;
  });
}

/** Fewer and simpler rows each time; what a Down refuses to revert, it does not lose. */
const ATTEMPTS: readonly (readonly [before: Richness | undefined, after: Richness | undefined])[] = [
  ['full', 'full'],
  ['plain', 'plain'],
  ['full', undefined],
  [undefined, 'full'],
  [undefined, 'plain'],
  [undefined, undefined],
];

async function checkFile(
  options: CheckDownOptions,
  state: Connection,
  file: MigrationFile,
): Promise<DownReport> {
  const admitted = expectedLossesIn(await readFile(file.path, 'utf8'));
  if (!file.down) {
    const problems = judge([], admitted);
    return { file: file.name, reversible: false, problems, expected: [], notes: [] };
  }
  const notes: string[] = [];
  for (const attempt of ATTEMPTS) {
    try {
      const found = await withScratchDatabase(
        options,
        (copy) => roundTrip(options, copy, file, attempt),
        state,
      );
      const problems = [...found.problems, ...judge(found.losses, admitted)];
      const expected = found.losses.filter((loss) => admitted.some((each) => covers(each, loss)));
      return { file: file.name, reversible: true, problems, expected, notes: [...notes, ...found.notes] };
    } catch (error) {
      const isLast = attempt === ATTEMPTS.at(-1);
      if (isLast || !(error instanceof MigrationFailedError)) throw error;
      notes.push(noteOn(attempt, error));
    }
  }
  throw new Error('The last attempt returns or throws.');
}

function noteOn([before, after]: (typeof ATTEMPTS)[number], error: MigrationFailedError): string {
  const rows = [before && `${before} rows before Up`, after && `${after} rows after it`].filter(Boolean);
  return `With ${rows.join(' and ')} it stops at line ${error.line} [${error.sqlState ?? 'no answer'}], and nothing is lost.`;
}

interface RoundTrip {
  readonly problems: DownProblem[];
  readonly losses: string[];
  readonly notes: string[];
}

async function roundTrip(
  options: CheckDownOptions,
  copy: Connection,
  file: MigrationFile,
  [before, after]: (typeof ATTEMPTS)[number],
): Promise<RoundTrip> {
  return withReplay(copy, options, async (replay) => {
    const start = await look(replay);
    const notes = before ? await plantSentinels(replay.session, start.tables, before) : [];
    const first = await readData(replay.session, start.tables);
    await replay.run(file, 'up');
    const up = await look(replay);
    if (after) notes.push(...(await plantSentinels(replay.session, up.tables, after, 2)));
    const second = await readData(replay.session, up.tables);
    await replay.run(file, 'down');
    const down = await look(replay);
    const third = await readData(replay.session, down.tables);
    await replay.run(file, 'up');
    const again = await look(replay);
    const fourth = await readData(replay.session, again.tables);

    const wasThere = (table: string, column: string): boolean =>
      start.tables.some(
        ({ name, columns }) => name === table && columns.some((each) => each.name === column),
      );
    const losses = new Set([...lossesBetween(first, third), ...lossesBetween(second, fourth, wasThere)]);
    return {
      problems: [
        ...schemaProblems('Down leads elsewhere than before Up', start.schema, down.schema),
        ...schemaProblems('The second Up leads elsewhere than the first', up.schema, again.schema),
      ],
      losses: [...losses].toSorted(),
      notes: [...new Set(notes)],
    };
  });
}

async function look(
  replay: Replay,
): Promise<{ schema: SchemaDescription; tables: Awaited<ReturnType<typeof readTables>> }> {
  return { schema: await describeSchema(replay.session), tables: await readTables(replay.session) };
}

function schemaProblems(
  sentence: string,
  expected: SchemaDescription,
  actual: SchemaDescription,
): DownProblem[] {
  return differenceOf(expected, actual).map((difference) => ({
    kind: 'schema' as const,
    about: `${difference.kind} ${difference.name}`,
    sentence: `${sentence}. ${describeDifference(difference)}`,
  }));
}

/** Losses that nobody admits, and admissions that are wrong. */
function judge(losses: readonly string[], admitted: readonly ExpectedLoss[]): DownProblem[] {
  const open = losses.filter((loss) => !admitted.some((each) => covers(each, loss)));
  return [
    ...open.map((about) => ({
      kind: 'loss' as const,
      about,
      sentence: `Values of ${about} do not come back. Keep them, leave the Down out, or write "-- +tombstone loses=${about}: reason".`,
    })),
    ...admitted.flatMap(({ line, what, reason }) => {
      const problem = admissionProblem(losses, what, reason);
      return problem
        ? [{ kind: 'declaration' as const, about: what, sentence: `Line ${line}: ${problem}` }]
        : [];
    }),
  ];
}

function admissionProblem(losses: readonly string[], what: string, reason: string): string | undefined {
  if (reason === '') return `A loss of ${what} is admitted without a reason. Write it behind the name.`;
  const isUsed = losses.some((loss) => covers({ line: 0, what, reason }, loss));
  return isUsed ? undefined : `A loss of ${what} is admitted, and nothing of it is lost. Remove the line.`;
}
