import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withBackfills } from './backfill/attach.ts';
import { checksumOf } from './checksum.ts';
import { decodeText } from './decode-text.ts';
import { MigrationError } from './errors.ts';
import { isWithoutTransaction, numberOf } from './file-name.ts';
import type { MigrationFile, MigrationSource } from './files.ts';
import { parseMigration } from './parse.ts';
import { withPartitionedIndexes } from './partitions/directive.ts';
import { withPhase } from './phases/directive.ts';
import { fileTimeouts } from './timeouts.ts';

type Parsed = Pick<MigrationFile, 'up' | 'down' | 'transactional' | 'notes' | 'timeouts' | 'phase'>;

/**
 * Reads a file. An applied file with the text that was applied was parsed then, and need not be again: half the time of a
 * start with nothing to do would go into that. So parsing waits until somebody asks for what it finds.
 *
 * @throws MigrationError when it is no file, or no UTF-8.
 */
export async function readMigration(source: MigrationSource, fileName: string): Promise<MigrationFile> {
  const name = `${source.name}/${fileName}`;
  const path = join(source.migrations, fileName);
  const text = await readText(name, path);
  const { migrationOrder: order = 'number', requireAnnotations } = source;
  const withoutTransaction = isWithoutTransaction(fileName, order);
  let found: Parsed | undefined;
  const parsed = (): Parsed => (found ??= read());
  const read = (): Parsed => {
    const plain = parseMigration(name, text, { requireAnnotations, withoutTransaction });
    const parts = { ...plain, timeouts: fileTimeouts(name, text) };
    return withPhase(name, text, withPartitionedIndexes(name, text, withBackfills(name, text, parts)));
  };
  return {
    name,
    module: source.name,
    version: numberOf(fileName),
    order,
    path,
    checksum: checksumOf(text),
    get up() {
      return parsed().up;
    },
    get down() {
      return parsed().down;
    },
    get transactional() {
      return parsed().transactional;
    },
    get notes() {
      return parsed().notes;
    },
    get phase() {
      return parsed().phase;
    },
    get timeouts() {
      return parsed().timeouts;
    },
  };
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
