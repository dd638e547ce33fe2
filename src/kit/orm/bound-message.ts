import pg from 'pg';

const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): unknown } }).utils;

/** Result formats: none, so that all are texts. Then Execute of the unnamed portal without a limit, and Sync. */
const TAIL = Buffer.from('\0\0E\0\0\0\u0009\0\0\0\0\0S\0\0\0\u0004', 'latin1');
const NULL_LENGTH = -1;

/** What is the same in each call of a statement: type, length to be written, unnamed portal, name, and no formats, so that all are texts. */
export const messageHead = (name: string): Buffer => Buffer.from(`B\0\0\0\0\0${name}\0\0\0\0\0`);

/**
 * Bind, Execute and Sync of a statement whose columns are known, in one piece: `pg` writes three, and a socket is what most of a short
 * statement is. Undefined where a value is binary, which needs formats.
 *
 * @throws whatever the driver's own `prepareValue` throws for a value that cannot be sent.
 */
export function boundMessage(head: Buffer, values: readonly unknown[]): Buffer | undefined {
  const texts: (string | null)[] = [];
  let size = head.length + TAIL.length;
  for (const given of values) {
    const value = typeof given === 'string' ? given : valueOf(given);
    if (value === null || value === undefined) texts.push(null);
    else if (typeof value === 'string') texts.push(value);
    else return undefined;
    size += 4;
  }
  const lengths = texts.map((text) => (text === null ? NULL_LENGTH : Buffer.byteLength(text)));
  for (const length of lengths) size += Math.max(length, 0);
  return filled(Buffer.allocUnsafe(size), head, texts, lengths);
}

/** A list of texts is what most statements of many rows are given, and the driver writes an element in twice the time. */
const valueOf = (given: unknown): unknown =>
  Array.isArray(given) && given.every(isText) ? listOf(given) : prepareValue(given);

const isText = (item: unknown): item is string | null => typeof item === 'string' || item === null;

/** To the letter as the driver writes it, with quotes around numbers: the list may be for a column of texts, which keeps them. */
function listOf(texts: readonly (string | null)[]): string {
  let list = '{';
  for (let n = 0; n < texts.length; n += 1) list += `${n > 0 ? ',' : ''}${elementOf(texts[n] ?? null)}`;
  return `${list}}`;
}

function elementOf(text: string | null): string {
  if (text === null) return 'NULL';
  const isPlain = !text.includes('"') && !text.includes('\\');
  return `"${isPlain ? text : text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

function filled(
  message: Buffer,
  head: Buffer,
  texts: readonly (string | null)[],
  lengths: readonly number[],
): Buffer {
  head.copy(message);
  message.writeUInt16BE(texts.length, head.length - 2);
  let at = head.length;
  for (let n = 0; n < texts.length; n += 1) {
    const text = texts[n];
    at = message.writeInt32BE(lengths[n] as number, at);
    if (typeof text === 'string') at += message.write(text, at);
  }
  TAIL.copy(message, at);
  // Of Bind alone, without its type: Execute has 10 bytes, Sync 5.
  message.writeInt32BE(at + 2 - 1, 1);
  return message;
}
