import { MigrationSyntaxError } from './errors.ts';
import { tokens } from './lexer.ts';
import { positionsOf } from './position.ts';

/** A comment with which a file speaks to this engine, such as `-- +tombstone verify missing`. */
export interface Directive {
  readonly word: string;
  /** What stands behind the word, on the same line. */
  readonly rest: string;
  readonly line: number;
  readonly column: number;
}

const COMMENT = /^--\s*\+tombstone\b\s*([\w-]*)(.*)$/s;

/** Words that any part of the engine reads. A mistyped one must not pass as prose: a gate would stand open. */
const KNOWN = ['backfill', 'verify', 'phase', 'lock_timeout', 'statement_timeout', 'waive'];

/**
 * Reads the directives of a text that has been parsed.
 *
 * @throws MigrationSyntaxError for a word that is none, and for a directive without a line of its own.
 */
export function directivesIn(file: string, text: string): Directive[] {
  if (!text.includes('+tombstone')) return [];
  const position = positionsOf(text);
  const found: Directive[] = [];
  for (const { kind, start, end } of tokens(text)) {
    const match = kind === 'comment' ? COMMENT.exec(text.slice(start, end).trimEnd()) : null;
    if (!match) continue;
    const directive = { word: match[1] ?? '', rest: (match[2] ?? '').trim(), ...position(start) };
    if (!KNOWN.includes(directive.word.toLowerCase())) {
      throw syntaxError(
        file,
        directive,
        `"${directive.word}" is no directive. Known are: ${KNOWN.join(', ')}.`,
      );
    }
    found.push(directive);
  }
  return found;
}

/** A mistake in a directive, at the place where it stands. */
export function syntaxError(
  file: string,
  { line, column }: Pick<Directive, 'line' | 'column'>,
  problem: string,
): MigrationSyntaxError {
  return new MigrationSyntaxError(file, line, column, problem);
}
