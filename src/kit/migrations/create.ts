import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MigrationError } from './errors.ts';
import { type MigrationSource, namesIn } from './files.ts';

/** What goes into a new migration file. */
export interface NewMigration {
  /** What the file does, in words; becomes part of its name. */
  readonly description: string;
  /** Lines above Up: comments, and annotations of the file. */
  readonly head?: readonly string[];
  readonly up?: readonly string[];
  /** Left out: the file has no Down section and cannot be reverted. */
  readonly down?: readonly string[];
}

/**
 * Writes a migration file with the next free number of the module.
 *
 * @returns its absolute path.
 * @throws MigrationError when the description leaves no name.
 */
export async function createMigration(source: MigrationSource, migration: NewMigration): Promise<string> {
  const slug = migration.description
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
  if (slug === '') {
    throw new MigrationError(
      'MIGRATION.ILLEGAL_NAME',
      'A migration needs a description of letters or digits, for example "add user notes".',
    );
  }
  const path = join(source.migrations, `${await nextVersion(source)}_${slug}.sql`);
  try {
    // "wx": a file that another hand has written meanwhile is not overwritten.
    await writeFile(path, textOf(migration), { flag: 'wx' });
  } catch {
    throw new MigrationError(
      'MIGRATION.NO_SUCH_FILE',
      `${path} cannot be written. Correct the rights of the folder, or run again.`,
    );
  }
  return path;
}

/** As many digits as the names before it have, three at least. */
async function nextVersion(source: MigrationSource): Promise<string> {
  const numbers = (await namesIn(source)).flatMap((name) => /^(\d+)_.*\.sql$/i.exec(name)?.[1] ?? []);
  const next = Math.max(0, ...numbers.map(Number)) + 1;
  return String(next).padStart(Math.max(3, ...numbers.map((number) => number.length)), '0');
}

function textOf({ head = [], up = [], down }: NewMigration): string {
  const section = (statements: readonly string[]): string =>
    statements.map((sql) => `${asBlock(withSemicolon(sql))}\n`).join('');
  const revert = down ? `\n-- +goose Down\n${section(down)}` : '';
  return `${head.map((line) => `${line}\n`).join('')}-- +goose Up\n${section(up)}${revert}`;
}

function withSemicolon(sql: string): string {
  const trimmed = sql.trim();
  return trimmed.endsWith(';') ? trimmed : `${trimmed};`;
}

/** Goose itself ends a statement at the first semicolon that ends a line, unless it is told where the statement ends. */
function asBlock(sql: string): string {
  const hasInner = /;\s*\n/.test(sql);
  return hasInner ? `-- +goose StatementBegin\n${sql}\n-- +goose StatementEnd` : sql;
}
