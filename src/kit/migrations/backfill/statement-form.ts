import { tokens } from '../lexer.ts';
import { StatementCursor } from '../statement-cursor.ts';

const CHANGES = ['insert', 'update', 'delete', 'merge', 'with'];
const READS = ['select', 'with', 'values', 'table'];

/** What is wrong with the statement of a batch; undefined when nothing is. */
export function problemOfBatch(text: string): string | undefined {
  if (!new StatementCursor(text).takeAny(...CHANGES))
    return 'The statement of a back-fill is one INSERT, UPDATE, DELETE or MERGE, with WITH or without.';
  if (isSeveral(text))
    return 'A back-fill has one statement. Put it between StatementBegin and StatementEnd alone.';
  const numbers = parametersIn(text);
  if (numbers.join() === '1,2') return undefined;
  return 'The statement of a back-fill takes the first key of a batch as $1 and the last one as $2, both included: WHERE id BETWEEN $1 AND $2.';
}

/** What is wrong with a SELECT that verifies; undefined when nothing is. */
export function problemOfVerification(text: string): string | undefined {
  if (!new StatementCursor(text).takeAny(...READS) || isSeveral(text))
    return 'A verification is one SELECT. It returns the rows that differ, and none when all is well.';
  if (parametersIn(text).length > 0) return 'A verification looks at all rows. It has no parameters.';
  return undefined;
}

function isSeveral(text: string): boolean {
  return [...tokens(text)].some(({ kind, end }) => kind === 'semicolon' && /\S/.test(text.slice(end)));
}

/** Numbers of `$1` and its kind outside of literals, each once. */
function parametersIn(text: string): number[] {
  const found = new Set<number>();
  for (const { kind, start } of tokens(text)) {
    const number = kind === 'other' && /^\$(\d+)/.exec(text.slice(start, start + 6))?.[1];
    if (number) found.add(Number(number));
  }
  return [...found].toSorted((a, b) => a - b);
}
