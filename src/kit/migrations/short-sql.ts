import { tokens, UnterminatedError } from './lexer.ts';

const LONGEST = 120;

/** A statement on one line for a person to recognise: no comment, no literal and no number of it, and not all of it. */
export function shortSql(text: string): string {
  const parts: string[] = [];
  let end = 0;
  try {
    for (const token of tokens(text)) {
      if (token.kind === 'comment') continue;
      const isValue = token.kind === 'literal' && text[token.start] !== '"';
      const isBehindBlank = token.start > end && parts.length > 0;
      parts.push(`${isBehindBlank ? ' ' : ''}${isValue ? '?' : text.slice(token.start, token.end)}`);
      end = token.end;
      if (parts.length > LONGEST) break;
    }
  } catch (error) {
    // pg_stat_activity cuts a query anywhere, inside a literal too.
    if (!(error instanceof UnterminatedError)) throw error;
    parts.push(' ?');
  }
  const line = parts
    .join('')
    .replaceAll(/(?<![\w$"])\d[\d.]*/g, '?')
    .replace(/;$/, '');
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}
