import { createHash } from 'node:crypto';
import { tokens } from './lexer.ts';

/** SHA-256 over the tokens of a statement: comments and white space do not count, everything else does. */
export function statementChecksum(text: string): string {
  const hash = createHash('sha256');
  for (const token of tokens(text)) {
    // Inside a token there may be any character, but no token is empty, so the NUL keeps neighbours apart.
    if (token.kind !== 'comment') hash.update(`${text.slice(token.start, token.end)}\0`, 'utf8');
  }
  return hash.digest('hex');
}
