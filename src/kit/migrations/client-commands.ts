import { tokens } from './lexer.ts';

/** Whether a statement is a COPY that takes its rows from the client, which only psql can send. */
export function copiesFromClient(statement: string): boolean {
  let previous = '';
  for (const token of tokens(statement)) {
    if (token.kind === 'comment') continue;
    const word = statement.slice(token.start, token.end).toLowerCase();
    if (previous === '' && word !== 'copy') return false;
    if (previous === 'from' && word === 'stdin') return true;
    previous = word;
  }
  return false;
}
