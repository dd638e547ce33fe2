import { MigrationSyntaxError } from './errors.ts';
import { positionsOf } from './position.ts';

const REPLACEMENT = '\uFFFD';

/**
 * The text of a file. A byte order mark stays in it, because the checksum is over what is on the disk.
 *
 * @throws MigrationSyntaxError for bytes that are not UTF-8, and for U+0000, at which the server would stop reading.
 */
export function decodeText(file: string, bytes: Buffer): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const invalid = firstInvalid(text, bytes);
  const offset = invalid ?? text.indexOf('\0');
  if (offset < 0) return text;
  const { line, column } = positionsOf(text)(offset);
  const problem = invalid === undefined ? 'U+0000 cannot be sent to the server.' : 'This is not UTF-8.';
  throw new MigrationSyntaxError(file, line, column, `${problem} Save the file as UTF-8.`);
}

/** Where decoding has put a replacement character for bytes that are not its own. */
function firstInvalid(text: string, bytes: Buffer): number | undefined {
  let read = 0;
  let offset = 0;
  for (let at = text.indexOf(REPLACEMENT); at >= 0; at = text.indexOf(REPLACEMENT, at + 1)) {
    offset += Buffer.byteLength(text.slice(read, at));
    if (bytes.toString('latin1', offset, offset + 3) !== '\xEF\xBF\xBD') return at;
    read = at + 1;
    offset += 3;
  }
  return undefined;
}
