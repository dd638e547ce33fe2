import { MigrationError } from './errors.ts';
import type { MigrationFile } from './files.ts';

/** A file by its full name, its name without module, without ".sql", or its number where that is unambiguous. */
export function find(files: readonly MigrationFile[], name: string): MigrationFile {
  const wanted = name.replace(/\.sql$/, '');
  const matches = files.filter((file) => {
    const full = file.name.replace(/\.sql$/, '');
    const bare = full.slice(file.module.length + 1);
    return full === wanted || bare === wanted || (/^\d+$/.test(wanted) && file.version === Number(wanted));
  });
  if (matches.length === 1) return matches[0] as MigrationFile;
  const problem = matches.length === 0 ? 'names no migration file' : 'names several migration files';
  throw new MigrationError(
    'MIGRATION.NO_SUCH_FILE',
    `"${name}" ${problem}. Use a name as "migrate status" prints it.`,
  );
}
