import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checksumOf } from './checksum.ts';
import { decodeText } from './decode-text.ts';
import { MigrationError } from './errors.ts';
import { byName, byNumber, nameProblem } from './file-name.ts';
import { type ParsedMigration, type ParseOptions, parseMigration } from './parse.ts';

/** A module's part in the engine: its name, and the folder of its files. */
export interface MigrationSource extends ParseOptions {
  readonly name: string;
  /** Absolute path. */
  readonly migrations: string;
  /**
   * `number`, the default: names are `NNN_description.sql`, each number once, in numeric order. `name`: any `.sql` file, in
   * the order of the bytes of its name, numbers may be shared; a name that ends in `_notx` has no transaction.
   */
  readonly migrationOrder?: 'number' | 'name';
}

/** A migration file, read and parsed. */
export interface MigrationFile extends ParsedMigration {
  /** As in the ledger: `gateway/001_create_users.sql`. */
  readonly name: string;
  readonly module: string;
  /** The number of the name; 0 where a name without number is allowed. */
  readonly version: number;
  readonly checksum: string;
  readonly path: string;
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
 * Reads all files of all modules, in the order in which they run: modules as listed, files by number or name.
 *
 * @throws MigrationError for an illegal name, a version that occurs twice, text that is not UTF-8, or a syntax error.
 */
export async function loadMigrations(sources: readonly MigrationSource[]): Promise<Loaded> {
  const loaded = await inspectMigrations(sources);
  if (loaded.problems[0]) throw loaded.problems[0];
  return loaded;
}

/** As {@link loadMigrations}, but gives back what is wrong with single files. */
export async function inspectMigrations(sources: readonly MigrationSource[]): Promise<Loaded> {
  refuseModuleTwice(sources);
  const modules = await Promise.all(sources.map(loadModule));
  return {
    files: modules.flatMap(({ files }) => files),
    problems: modules.flatMap(({ problems }) => problems),
    notes: modules.flatMap(({ notes }) => notes),
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

async function loadModule(source: MigrationSource): Promise<Loaded> {
  const names = (await namesIn(source)).filter((name) => /\.sql$/i.test(name));
  const loaded: Loaded = { files: [], problems: [], notes: [] };
  for (const each of await Promise.all(names.map((name) => loadFile(source, name)))) {
    if (each instanceof MigrationError) loaded.problems.push(each);
    else if ('checksum' in each) loaded.files.push(each);
    else loaded.notes.push(each);
  }
  loaded.files.sort(source.migrationOrder === 'name' ? byName : byNumber);
  if (source.migrationOrder !== 'name') loaded.problems.push(...duplicates(loaded.files));
  for (const { name, notes } of loaded.files)
    loaded.notes.push(...notes.map(({ line, text }) => ({ file: name, line, text })));
  return loaded;
}

function duplicates(files: readonly MigrationFile[]): MigrationError[] {
  return files.flatMap((file, index) => {
    const before = files[index - 1];
    if (before?.version !== file.version) return [];
    return new MigrationError(
      'MIGRATION.DUPLICATE_VERSION',
      `${before.name} and ${file.name} have the same number. Give the one that is not applied anywhere the next free number.`,
      file.name,
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

async function loadFile(
  source: MigrationSource,
  fileName: string,
): Promise<MigrationFile | MigrationNote | MigrationError> {
  const name = `${source.name}/${fileName}`;
  const problem = nameProblem(fileName, source.migrationOrder);
  if (problem?.isIgnored) return { file: name, text: problem.text };
  if (problem) return new MigrationError('MIGRATION.ILLEGAL_NAME', `${name} ${problem.text}`, name);
  try {
    return await readMigration(source, name, fileName);
  } catch (error) {
    if (error instanceof MigrationError) return error;
    throw error;
  }
}

async function readMigration(
  source: MigrationSource,
  name: string,
  fileName: string,
): Promise<MigrationFile> {
  const path = join(source.migrations, fileName);
  const text = await readText(name, path);
  const parsed = parseMigration(name, text, parseOptionsOf(source, fileName));
  const version = Number(/^\d+/.exec(fileName)?.[0] ?? 0);
  return { name, module: source.name, version, path, checksum: checksumOf(text), ...parsed };
}

function parseOptionsOf({ requireAnnotations, migrationOrder }: MigrationSource, name: string): ParseOptions {
  return { requireAnnotations, withoutTransaction: migrationOrder === 'name' && name.endsWith('_notx.sql') };
}

async function readText(name: string, path: string): Promise<string> {
  try {
    return decodeText(name, await readFile(path));
  } catch (error) {
    if (error instanceof MigrationError) throw error;
    throw new MigrationError(
      'MIGRATION.NO_SUCH_FILE',
      `${name} cannot be read as a file. Correct its rights, or move it out of the folder.`,
      name,
    );
  }
}
