import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MigrationSource } from 'tombstone/migrations';

/** A folder of migration files that a test may change while it runs. */
export interface MigrationFolder extends MigrationSource {
  /** The folder that holds the module's one. */
  readonly root: string;
  write(name: string, text: string | Buffer): void;
  remove(name: string): void;
  delete(): void;
}

export function migrationFolder(
  files: Readonly<Record<string, string>>,
  module = 'shop',
  root = mkdtempSync(join(tmpdir(), 'tombstone-migrations-')),
): MigrationFolder {
  const migrations = join(root, module);
  mkdirSync(migrations);
  const write = (name: string, text: string | Buffer): void => writeFileSync(join(migrations, name), text);
  for (const [name, text] of Object.entries(files)) write(name, text);
  return {
    name: module,
    migrations,
    root,
    write,
    remove: (name) => rmSync(join(migrations, name)),
    delete: () => rmSync(root, { recursive: true, force: true }),
  };
}
