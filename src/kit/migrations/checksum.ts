import { createHash } from 'node:crypto';

/**
 * What Go's `strings.TrimSpace` removes: Unicode White_Space. JavaScript's `trim` differs in two characters, it keeps
 * U+0085 and removes U+FEFF, and a ledger shared with a Go runner must not depend on that.
 */
const BLANK = /[\t\n\v\f\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** `text` without leading and trailing white space, as Go trims it. */
export function trimLikeGo(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.test(text[start] as string)) start += 1;
  while (end > start && BLANK.test(text[end - 1] as string)) end -= 1;
  return text.slice(start, end);
}

/** The checksum that the ledger keeps: SHA-256 of the trimmed text as UTF-8, in lower-case hexadecimal. */
export function checksumOf(text: string): string {
  return createHash('sha256').update(trimLikeGo(text), 'utf8').digest('hex');
}
