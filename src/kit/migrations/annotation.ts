/** The goose annotations that this engine reads. */
export const KEYWORDS = [
  'Up',
  'Down',
  'StatementBegin',
  'StatementEnd',
  'NO TRANSACTION',
  'ENVSUB ON',
  'ENVSUB OFF',
] as const;

export type Keyword = (typeof KEYWORDS)[number];

/** What a comment is to the parser: an annotation, a mistake that looks like one, or prose that deserves a note. */
export type Annotation =
  { readonly keyword: Keyword } | { readonly problem: string } | { readonly note: string } | undefined;

const LOOKS_LIKE_ONE = /\+goose\s+(up|down|statement|no\s+transaction|envsub)/i;

/**
 * Reads a line comment. Goose requires every comment with `+goose` to be a valid annotation; prose that only mentions
 * the word, with no keyword behind it, is left to be a comment.
 */
export function annotationOf(comment: string, column: number): Annotation {
  if (!comment.includes('+goose')) return undefined;
  const rest = /^--\s*\+goose(.*)$/s.exec(comment)?.[1]?.trim();
  if (rest === undefined) {
    return LOOKS_LIKE_ONE.test(comment)
      ? { problem: 'Nothing may stand between -- and +goose. Write for example "-- +goose Up".' }
      : { note: 'This comment mentions +goose and is no annotation; goose itself would refuse it.' };
  }
  const keyword = keywordOf(rest);
  if (keyword && column === 1) return { keyword };
  if (keyword) return { problem: `The annotation must begin in column 1, not ${column}. Move it there.` };
  return { problem: `"${rest}" is no goose annotation. ${suggestionFor(rest)}` };
}

/** Whether the text of a literal holds a line that would be an annotation outside it. */
export function holdsAnnotationLine(literal: string): boolean {
  return literal
    .split('\n')
    .some((line) => keywordOf(/^\s*--\s*\+goose(.*)$/.exec(line)?.[1]?.trim() ?? '') !== undefined);
}

function keywordOf(rest: string): Keyword | undefined {
  return KEYWORDS.find((known) => known.toLowerCase() === rest.toLowerCase());
}

function suggestionFor(rest: string): string {
  const written = rest.toLowerCase();
  const begins = KEYWORDS.find((known) => written.startsWith(`${known.toLowerCase()} `));
  if (begins) return `Write "-- +goose ${begins}" alone on its line.`;
  if (rest === '') return `Write one of: ${KEYWORDS.join(', ')}.`;
  const near = KEYWORDS.find((known) => {
    const name = known.toLowerCase();
    return distance(name, written) <= 2 || name.replaceAll(' ', '') === written.replace(/[^a-z]/g, '');
  });
  return near ? `Write "-- +goose ${near}".` : `Write one of: ${KEYWORDS.join(', ')}.`;
}

/** How many characters must be put in, taken out or replaced to make one word of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, char] of Array.from(a).entries()) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const replaced = (row[j] ?? 0) + (char === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
