import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withBackfills } from './backfill/attach.ts';
import { checksumOf } from './checksum.ts';
import { decodeText } from './decode-text.ts';
import { MigrationError } from './errors.ts';
import { type ParsedMigration, parseMigration } from './parse.ts';
import { withPhase } from './phases/directive.ts';
import { type FileTimeouts, fileTimeouts } from './timeouts.ts';

/** A module's part in the engine: its name, and the folder of its files. */
export interface MigrationSource {
  readonly name: string;
  /** Absolute path. */
  readonly migrations: string;
  /**
   * `number` orders files by the number at the beginning of their names, which occurs once. `filename` is for a history
   * that was begun without that rule: the whole name orders, byte by byte, numbers may occur twice or be missing, and
   * a name that ends in `_notx` means NO TRANSACTION. Default `number`.
   */
  readonly naming?: 'number' | 'filename';
}

/** A migration file, read; it is parsed when its statements are asked for first. */
export interface MigrationFile extends ParsedMigration {
  /** As in the ledger: `gateway/001_create_users.sql`. */
  readonly name: string;
  readonly module: string;
  /** The number at the beginning of the name; 0 where a name that orders by itself has none. */
  readonly version: number;
  readonly checksum: string;
  readonly path: string;
  /** What the file asks for itself; the run's own settings where it is silent. */
  readonly timeouts: FileTimeouts;
}

const FILE_NAME = /^(\d{1,15})_[A-Za-z0-9_.-]+\.sql$/;
const ANY_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*\.sql$/;

/**
 * Reads all files of all modules, in the order in which they run: modules as listed, versions ascending.
 *
 * @throws MigrationError for an illegal name, a version that occurs twice, text that is not UTF-8, or a syntax error.
 */
export async function loadMigrations(sources: readonly MigrationSource[]): Promise<MigrationFile[]> {
  refuseModuleTwice(sources);
  const modules = await Promise.all(sources.map(loadModule));
  return modules.flat();
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

async function loadModule(source: MigrationSource): Promise<MigrationFile[]> {
  const names = (await namesIn(source)).filter((name) => /\.sql$/i.test(name));
  const files = await Promise.all(names.map((name) => loadFile(source, name)));
  if (source.naming === 'filename') return files.toSorted((a, b) => compareBytes(a.name, b.name));
  files.sort((a, b) => a.version - b.version);
  for (const [index, file] of files.entries()) {
    const before = files[index - 1];
    if (before?.version === file.version) {
      throw new MigrationError(
        'MIGRATION.DUPLICATE_VERSION',
        `${before.name} and ${file.name} have the same number. Give the one that is not applied anywhere the next free number.`,
        file.name,
      );
    }
  }
  return files;
}

/** The order of `ls` in the C locale; JavaScript's own differs beyond the 16-bit characters. */
const compareBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/**
 * Names of everything in a module's folder.
 *
 * @throws MigrationError `MIGRATION.NO_SUCH_FILE` when there is no such folder.
 */
export async function namesIn({ name, migrations }: MigrationSource): Promise<string[]> {
  try {
    return await readdir(migrations);
  } catch {
    throw new MigrationError(
      'MIGRATION.NO_SUCH_FILE',
      `The migration folder of module ${name} cannot be read: ${migrations}. Create it, or correct the module's path.`,
    );
  }
}

async function loadFile(source: MigrationSource, fileName: string): Promise<MigrationFile> {
  const name = `${source.name}/${fileName}`;
  const isByName = source.naming === 'filename';
  const version = isByName ? Number.parseInt(fileName, 10) || 0 : Number(FILE_NAME.exec(fileName)?.[1] ?? 0);
  if (isByName ? !ANY_NAME.test(fileName) : version < 1) {
    throw new MigrationError(
      'MIGRATION.ILLEGAL_NAME',
      `${name} is no migration name. Name it NNN_description.sql with a number above 0, or move it out of the folder.`,
      name,
    );
  }
  const path = join(source.migrations, fileName);
  const text = await readText(name, path);
  const isNotx = isByName && fileName.endsWith('_notx.sql');
  type Parsed = ParsedMigration & Pick<MigrationFile, 'timeouts'>;
  let parsed: Parsed | undefined;
  const parse = (): Parsed => (parsed ??= read());
  const read = (): Parsed => {
    const plain = parseMigration(name, text);
    const timeouts = fileTimeouts(name, text);
    const parts = { ...plain, timeouts, transactional: plain.transactional && !isNotx };
    return withPhase(name, text, withBackfills(name, text, parts));
  };
  return {
    name,
    module: source.name,
    version,
    path,
    checksum: checksumOf(text),
    get timeouts() {
      return parse().timeouts;
    },
    get up() {
      return parse().up;
    },
    get down() {
      return parse().down;
    },
    get phase() {
      return parse().phase;
    },
    get transactional() {
      return parse().transactional;
    },
  };
}

/**
 * Parses the files now, both directions. A file with a matching line in the ledger was parsed when it was applied, and
 * need not be again: half the time of a start with nothing to do would go into that.
 *
 * @throws MigrationSyntaxError
 */
export function parseFiles(files: readonly MigrationFile[], applied: ReadonlySet<string>): void {
  for (const file of files) if (!applied.has(file.name)) void file.up;
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
