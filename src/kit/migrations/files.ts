import { readdir } from 'node:fs/promises';
import type { Adoption } from './adopt/adoption.ts';
import { MigrationError } from './errors.ts';
import { byName, byNumber, type MigrationOrder, nameProblem } from './file-name.ts';
import type { ParsedMigration, ParseOptions } from './parsed-migration.ts';
import { readMigration } from './read-file.ts';
import type { FileTimeouts } from './timeouts.ts';

/** A module's part in the engine: its name, and the folder of its files. */
export interface MigrationSource extends ParseOptions {
  readonly name: string;
  /** Absolute path. */
  readonly migrations: string;
  /** How its files are named and ordered. Default `number`. */
  readonly migrationOrder?: MigrationOrder;
  /** What it knows of databases that another program has made. */
  readonly adoption?: Adoption | undefined;
}

/** A migration file, read; it is parsed when its statements are asked for first, so that may throw. */
export interface MigrationFile extends ParsedMigration {
  /** As in the ledger: `gateway/001_create_users.sql`. */
  readonly name: string;
  readonly module: string;
  /** The number at the beginning of the name; 0 where a name that orders by itself has none. */
  readonly version: number;
  readonly order: MigrationOrder;
  readonly checksum: string;
  readonly path: string;
  /** What the file asks for itself; the run's own settings where it is silent. */
  readonly timeouts: FileTimeouts;
}

/** Something about a file that is allowed and probably not meant. */
export interface MigrationNote {
  readonly file: string;
  readonly text: string;
  readonly line?: number;
}

/** Everything that was found in the folders of the modules. */
export interface Loaded {
  readonly files: MigrationFile[];
  /** Why nothing may run, all of it. */
  readonly problems: MigrationError[];
  readonly notes: MigrationNote[];
}

/**
 * All files of all modules, parsed, in the order in which they run: modules as listed, files by number or name.
 *
 * @throws MigrationError for an illegal name, a version that occurs twice, text that is not UTF-8, or a syntax error.
 */
export async function loadMigrations(sources: readonly MigrationSource[]): Promise<MigrationFile[]> {
  const { files, problems } = parseAll(await readMigrations(sources));
  if (problems[0]) throw problems[0];
  return files;
}

/** As {@link loadMigrations}, but nothing is parsed yet, and what is wrong with single files is given back. */
export async function readMigrations(sources: readonly MigrationSource[]): Promise<Loaded> {
  refuseModuleTwice(sources);
  return merge(await Promise.all(sources.map(readModule)));
}

/** Parses everything; a file that cannot be parsed becomes a problem, and what is odd in one a note. */
export function parseAll({ files, problems, notes }: Loaded): Loaded {
  return merge([{ files: [], problems, notes }, ...files.map(parsed)]);
}

function parsed(file: MigrationFile): Loaded {
  try {
    return { files: [file], problems: [], notes: notesOf(file) };
  } catch (error) {
    if (error instanceof MigrationError) return { files: [], problems: [error], notes: [] };
    throw error;
  }
}

/**
 * Parses what is not applied, both directions.
 *
 * @throws MigrationSyntaxError
 */
export function parsePending(
  files: readonly MigrationFile[],
  rows: readonly { readonly filename: string }[],
): void {
  const applied = new Set(rows.map(({ filename }) => filename));
  for (const file of files) if (!applied.has(file.name)) notesOf(file);
}

/** Parses the file, if that was not done yet. */
export function notesOf({ name, notes }: MigrationFile): MigrationNote[] {
  return notes.map(({ line, text }) => ({ file: name, line, text }));
}

function merge(parts: readonly Loaded[]): Loaded {
  return {
    files: parts.flatMap(({ files }) => files),
    problems: parts.flatMap(({ problems }) => problems),
    notes: parts.flatMap(({ notes }) => notes),
  };
}

function refuseModuleTwice(sources: readonly MigrationSource[]): void {
  const names = sources.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new MigrationError(
    'MIGRATION.ILLEGAL_NAME',
    `Two modules are named ${twice}, and the ledger could not tell their files apart. Rename one.`,
  );
}

async function readModule(source: MigrationSource): Promise<Loaded> {
  const names = (await namesIn(source)).filter((name) => /\.sql$/i.test(name));
  const found = merge(await Promise.all(names.map((name) => readFile(source, name))));
  if (source.migrationOrder === 'filename') return { ...found, files: found.files.toSorted(byName) };
  const files = found.files.toSorted(byNumber);
  return { ...found, files, problems: [...found.problems, ...duplicates(files)] };
}

function duplicates(files: readonly MigrationFile[]): MigrationError[] {
  return files.flatMap((file, index) => {
    const before = files[index - 1];
    if (before?.version !== file.version) return [];
    return new MigrationError(
      'MIGRATION.DUPLICATE_VERSION',
      `${before.name} and ${file.name} have the same number. Give the one that is not applied anywhere the next free number.`,
      file.name,
      { other: before.name },
    );
  });
}

/**
 * Names of everything in a module's folder.
 *
 * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when there is no such folder.
 */
export async function namesIn({ name, migrations }: MigrationSource): Promise<string[]> {
  try {
    return (await readdir(migrations)).toSorted();
  } catch {
    throw new MigrationError(
      'MIGRATION.NO_SUCH_FILE',
      `The migration folder of module ${name} cannot be read: ${migrations}. Create it, or correct the module's path.`,
    );
  }
}

async function readFile(source: MigrationSource, fileName: string): Promise<Loaded> {
  const name = `${source.name}/${fileName}`;
  const problem = nameProblem(fileName, source.migrationOrder);
  if (problem?.isIgnored) return { files: [], problems: [], notes: [{ file: name, text: problem.text }] };
  try {
    if (problem) throw new MigrationError('MIGRATION.ILLEGAL_NAME', `${name} ${problem.text}`, name);
    return { files: [await readMigration(source, fileName)], problems: [], notes: [] };
  } catch (error) {
    if (error instanceof MigrationError) return { files: [], problems: [error], notes: [] };
    throw error;
  }
}
