import { tokens } from './lexer.ts';

const CONTROL = new Set(['begin', 'commit', 'rollback', 'abort', 'end', 'savepoint', 'release']);

/**
 * Whether a statement begins or ends a transaction. Inside a file that runs in one of its own, a COMMIT would make what came
 * before survive a failure behind it, ledger row or not.
 */
export function controlsTransaction(statement: string): boolean {
  const words: string[] = [];
  for (const token of tokens(statement)) {
    if (token.kind === 'comment') continue;
    if (token.kind === 'word') words.push(statement.slice(token.start, token.end).toLowerCase());
    if (token.kind !== 'word' || words.length === 2) break;
  }
  const [first = '', second = ''] = words;
  return CONTROL.has(first) || ((first === 'start' || first === 'prepare') && second === 'transaction');
}
