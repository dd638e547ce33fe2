/** The goose annotations that this engine reads. */
export const KEYWORDS = ['Up', 'Down', 'StatementBegin', 'StatementEnd', 'NO TRANSACTION'] as const;

export type Keyword = (typeof KEYWORDS)[number];

/** What a comment is to the parser: an annotation, a mistake that looks like one, or prose. */
export type Annotation = { readonly keyword: Keyword } | { readonly problem: string } | undefined;

/**
 * Reads a line comment. Goose requires every comment with `+goose` to be a valid annotation; prose that only mentions
 * the word, with more words behind it than any annotation has, is left to be a comment.
 */
export function annotationOf(comment: string, column: number): Annotation {
  if (!comment.includes('+goose')) return undefined;
  const rest = /^--\s*\+goose(.*)$/s.exec(comment)?.[1];
  if (rest === undefined) {
    return /\+goose\s+(up|down|statement|no\s+transaction)/i.test(comment)
      ? { problem: 'Nothing may stand between -- and +goose. Write for example "-- +goose Up".' }
      : undefined;
  }
  const keyword = KEYWORDS.find((known) => known.toLowerCase() === rest.trim().toLowerCase());
  if (keyword && column === 1) return { keyword };
  if (keyword) return { problem: `The annotation must begin in column 1, not ${column}.` };
  return { problem: `"${rest.trim()}" is no goose annotation. Known are: ${KEYWORDS.join(', ')}.` };
}
