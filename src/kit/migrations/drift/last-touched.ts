import type { MigrationFile } from '../files.ts';
import type { Replay } from '../rebuild/replay.ts';
import { describeSchema } from './description.ts';
import { differenceOf, keyOf, type SchemaDifference } from './difference.ts';

/**
 * Runs files one by one and looks at the schema after each.
 *
 * @returns for each object the file that made, changed or dropped it last.
 */
export async function lastTouched(
  replay: Replay,
  files: readonly MigrationFile[],
): Promise<(object: Pick<SchemaDifference, 'kind' | 'name'>) => string | undefined> {
  const touched = new Map<string, string>();
  let before = await describeSchema(replay.session);
  for (const file of files) {
    await replay.run(file);
    const after = await describeSchema(replay.session);
    for (const object of differenceOf(before, after, 'with parts')) touched.set(keyOf(object), file.name);
    before = after;
  }
  return (object) => touched.get(keyOf(object));
}
