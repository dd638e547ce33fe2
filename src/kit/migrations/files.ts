import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { checksumOf } from './checksum.ts';
import { MigrationError } from './errors.ts';
import { type ParsedMigration, parseMigration } from './parse.ts';

/** A module's part in the engine: its name, and the folder of its files. */
export interface MigrationSource {
  readonly name: string;
  /** Absolute path. */
  readonly migrations: string;
}

/** A migration file, read and parsed. */
export interface MigrationFile extends ParsedMigration {
  /** As in the ledger: `gateway/001_create_users.sql`. */
  readonly name: string;
  readonly module: string;
  readonly version: number;
  readonly checksum: string;
  readonly path: string;
}

const FILE_NAME = /^(\d{1,15})_[A-Za-z0-9_.-]+\.sql$/;

/**
 * Reads all files of all modules, in the order in which they run: modules as listed, versions ascending.
 *
 * @throws MigrationError for an illegal name, a version that occurs twice, text that is not UTF-8, or a syntax error.
 */
export async function loadMigrations(sources: readonly MigrationSource[]): Promise<MigrationFile[]> {
  const modules = await Promise.all(sources.map(loadModule));
  return modules.flat();
}

async function loadModule(source: MigrationSource): Promise<MigrationFile[]> {
  const names = (await listFolder(source)).filter((name) => name.endsWith('.sql'));
  const files = await Promise.all(names.map((name) => loadFile(source, name)));
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

async function listFolder({ name, migrations }: MigrationSource): Promise<string[]> {
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
  const version = Number(FILE_NAME.exec(fileName)?.[1] ?? 0);
  if (version < 1) {
    throw new MigrationError(
      'MIGRATION.ILLEGAL_NAME',
      `${name} is no migration name. Name it NNN_description.sql with a number above 0, or move it out of the folder.`,
      name,
    );
  }
  const path = join(source.migrations, fileName);
  const text = decode(name, await readFile(path));
  return {
    name,
    module: source.name,
    version,
    path,
    checksum: checksumOf(text),
    ...parseMigration(name, text),
  };
}

function decode(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new MigrationError('MIGRATION.SYNTAX', `${name} is not valid UTF-8. Save it as UTF-8.`, name);
  }
}
