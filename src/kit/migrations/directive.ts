import { MigrationSyntaxError } from './errors.ts';
import { tokens } from './lexer.ts';
import { positionsOf } from './position.ts';

/** What a file may ask of this engine, beside what goose knows. */
export const DIRECTIVES = [
  'lock_timeout',
  'statement_timeout',
  'waive',
  'loses',
  'backfill',
  'verify',
  'phase',
  'partitioned-index',
] as const;

/** A line comment `-- +tombstone WORD ...`: our own directives have this one form. */
export interface Directive {
  /** In lower case; one of {@link DIRECTIVES}, or a mistake. */
  readonly word: string;
  /** What stands behind the word. */
  readonly rest: string;
  readonly line: number;
  readonly column: number;
}

/** A mistake in a directive, at the place where it stands. */
export function syntaxError(
  file: string,
  { line, column }: Pick<Directive, 'line' | 'column'>,
  problem: string,
): MigrationSyntaxError {
  return new MigrationSyntaxError(file, line, column, problem);
}

const DIRECTIVE = /^--\s*\+tombstone(?:\s+([\w-]+)(.*))?$/is;

/**
 * The directives of a text: line comments, never text inside a literal.
 *
 * @throws UnterminatedError for a text that cannot be read to its end.
 */
export function directivesIn(text: string): Directive[] {
  if (!text.toLowerCase().includes('+tombstone')) return [];
  const position = positionsOf(text);
  const found: Directive[] = [];
  for (const { kind, start, end } of tokens(text)) {
    if (kind !== 'comment') continue;
    const [match, word = '', rest = ''] = DIRECTIVE.exec(text.slice(start, end).trimEnd()) ?? [];
    if (match === undefined) continue;
    const { line, column } = position(start);
    // A byte order mark moves nothing.
    const shift = line === 1 && text.startsWith('\uFEFF') ? 1 : 0;
    found.push({ word: word.toLowerCase(), rest: rest.trim(), line, column: column - shift });
  }
  return found;
}
