import { createHash, type Hash } from 'node:crypto';
import { tokens } from './lexer.ts';
import type { ParsedMigration, Statement } from './parsed-migration.ts';

/** Stands beside every token checksum, so that a later way of computing it is not taken for an edit. */
export const TOKEN_ALGORITHM = 'sql-tokens-1';

/**
 * A checksum of what a file does: the tokens of its statements, which of them are Up and Down, and whether there is a
 * transaction. White space and comments outside literals do not count, nor do line ends inside them, which a checkout may
 * change. A comment inside a function's body counts: the server stores it.
 */
export function tokenChecksumOf({ up, down, transactional }: ParsedMigration): string {
  const hash = createHash('sha256');
  hash.update(transactional ? 'transaction\n' : 'no transaction\n');
  addStatements(hash, 'up', up);
  if (down) addStatements(hash, 'down', down);
  return hash.digest('hex');
}

function addStatements(hash: Hash, section: string, statements: readonly Statement[]): void {
  hash.update(`${section} ${statements.length}\n`);
  for (const { text, substitutions } of statements) {
    // Each with its length, so that no two sequences of tokens make the same text.
    const parts = significantTokens(text).map((token) => `${Buffer.byteLength(token)}:${token}`);
    hash.update(`${substitutions?.length ?? 0} ${parts.join(' ')}\n`);
  }
}

/** The tokens of a statement as PostgreSQL would tell them apart. */
export function significantTokens(text: string): string[] {
  const found: string[] = [];
  let run = '';
  let end = -1;
  const closeRun = (): void => {
    if (run !== '') found.push(...splitRun(run));
    run = '';
  };
  for (const token of tokens(text)) {
    if (token.kind === 'comment') continue;
    const piece = text.slice(token.start, token.end);
    // Digits and operators come as single characters; what touches belongs together until it is split. A name that
    // touches a digit is part of the number, as in 1e5 and 0xff.
    const touches = token.start === end;
    if (token.kind === 'other' || (token.kind === 'word' && touches && /\d$/.test(run))) {
      if (!touches) closeRun();
      run += piece;
    } else {
      closeRun();
      found.push(token.kind === 'literal' ? piece.replaceAll('\r\n', '\n') : piece);
    }
    end = token.end;
  }
  closeRun();
  if (found.at(-1) === ';') found.pop();
  return found;
}

const PIECE = /(?:\d|\.\d)(?:[\w.]|(?<=[eE])[-+])*|[-+*/<>=~!@#%^&|`?]+|::|:=|\.\.|\s+|./gsu;

function splitRun(run: string): string[] {
  return (run.match(PIECE) ?? []).flatMap((piece) =>
    /^[-+*/<>=~!@#%^&|`?]/.test(piece) ? splitOperator(piece) : [piece],
  );
}

/** An operator ends in + or - only when it has one of certain characters; "=-1" is "=" and "-1". */
function splitOperator(operator: string): string[] {
  let length = operator.length;
  while (
    length > 1 &&
    /[-+]$/.test(operator.slice(0, length)) &&
    !/[~!@#%^&|`?]/.test(operator.slice(0, length))
  )
    length -= 1;
  return length === operator.length
    ? [operator]
    : [operator.slice(0, length), ...splitOperator(operator.slice(length))];
}
