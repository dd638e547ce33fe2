import { createHash } from 'node:crypto';

const LONGEST = 63;
const HASH = 8;

/**
 * The name of a partition's index: the same on every installation, never over the 63 bytes after which PostgreSQL cuts, and
 * another one for each pair of partition and index, because a hash of both stands at its end.
 */
export function childName(
  partition: { readonly schema: string; readonly name: string },
  index: string,
): string {
  const hash = createHash('sha256')
    .update(`${partition.schema}\0${partition.name}\0${index}`)
    .digest('hex')
    .slice(0, HASH);
  return `${cut(`${partition.name}_${index}`, LONGEST - HASH - 1)}_${hash}`;
}

/** As many whole characters as fit. */
function cut(text: string, bytes: number): string {
  let room = bytes;
  let kept = '';
  for (const character of text) {
    room -= Buffer.byteLength(character);
    if (room < 0) break;
    kept += character;
  }
  return kept;
}
