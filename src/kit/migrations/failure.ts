import { DatabaseError } from 'pg';
import { MigrationFailedError, type Outcome } from './errors.ts';
import type { MigrationFile } from './files.ts';
import { tokens } from './lexer.ts';
import { hasValues, type Statement } from './parsed-migration.ts';

/** Conditions whose primary message names objects and words of the statement, which stand in the file anyway. */
const ABOUT_THE_TEXT = /^(42|0A|25|2B|2D|3F|55)/;

const DUPLICATE_TABLE = '42P07';

const SENTENCES: Readonly<Record<string, string>> = {
  '23505': 'The data violates a unique constraint',
  '23503': 'The data violates a foreign key',
  '23502': 'The data violates a NOT NULL constraint',
  '23514': 'The data violates a check constraint',
  '55P03': 'A lock was not granted within lock_timeout; find the blocking session in pg_locks and run again',
  '57014': 'The statement was cancelled, most often by statement_timeout',
  '40P01': 'A deadlock with another session; run again',
  '40001': 'A serialisation failure; run again',
  '53100': 'The disk is full',
  '57P01': 'The server ended the connection',
};

/** Turns the server's error into one that names file, line and SQLSTATE, and holds no value of a row. */
export function failure(
  file: MigrationFile,
  statement: Statement,
  error: unknown,
  { direction, done, left, statements }: Omit<Outcome, 'left'> & { readonly left?: string },
): MigrationFailedError {
  // A broken socket has a code too, such as EPIPE, which looks like a SQLSTATE and is none.
  const refusal = error instanceof DatabaseError ? error : undefined;
  const sqlState = refusal?.code;
  const sentence = refusal
    ? sentenceFor(refusal, hasValues(statement))
    : 'The connection to the server was lost';
  return new MigrationFailedError(
    file.name,
    statement.line + lineInside(statement.text, refusal),
    { sqlState, sentence: `${sentence} [${sqlState ?? 'no answer'}].` },
    { direction, done, left: left ?? leftBy(file, refusal !== undefined), statements },
  );
}

/** An index that the server said it had built, and that is not there, or not usable. */
export function notUsable(
  file: MigrationFile,
  statement: Statement,
  { direction, done }: Pick<Outcome, 'direction' | 'done'>,
  { left, statements }: Pick<Outcome, 'left' | 'statements'>,
): MigrationFailedError {
  const sentence =
    'The statement went through, but no valid index of that name is on that table. Another relation has the name: choose a different one.';
  return new MigrationFailedError(
    file.name,
    statement.line,
    { sentence },
    { direction, done, left, statements },
  );
}

function sentenceFor({ code = '', message, constraint }: DatabaseError, isSecret: boolean): string {
  const known = SENTENCES[code];
  // Words of the statement may be values of the environment, names of constraints too.
  if (isSecret) return known ?? 'The server refused the statement; values stand in it, so it is not shown';
  if (known) return constraint ? `${known} (${constraint})` : known;
  // A file's own RAISE is its author's sentence to the operator.
  const [first = ''] = message.split('\n');
  if (code === DUPLICATE_TABLE)
    return `${first}; if another program has made it, "migrate adopt" takes the database over`;
  if (ABOUT_THE_TEXT.test(code) || code === 'P0001') return first;
  return constraint ? `The server refused the statement (${constraint})` : 'The server refused the statement';
}

/** What the failed file has left behind. */
function leftBy(file: MigrationFile, wasAnswered: boolean): string {
  if (!file.transactional)
    return 'The journal holds what this NO TRANSACTION file has done; the next run looks at the rest and goes on there.';
  // The whole file goes in one message, so the commit may have taken place.
  if (!wasAnswered) return '"migrate status" tells whether this file was still applied.';
  return 'Nothing of this file is left.';
}

function lineInside(text: string, error: DatabaseError | undefined): number {
  if (!error) return 0;
  if (error.position) return linesBefore(text, Number(error.position) - 1);
  // An error inside a DO block has no position in the file's text, but a line of the block's own.
  const block = /^PL\/pgSQL function inline_code_block line (\d+)/m.exec(error.where ?? '')?.[1];
  return block ? linesBefore(text, bodyStart(text)) + Number(block) - 1 : 0;
}

function bodyStart(text: string): number {
  for (const token of tokens(text)) if (token.kind === 'literal') return token.start;
  return 0;
}

/** The server counts characters, not the two units of which JavaScript makes some of them. */
function linesBefore(text: string, characters: number): number {
  let lines = 0;
  let left = characters;
  for (const character of text) {
    if (left <= 0) break;
    if (character === '\n') lines += 1;
    left -= 1;
  }
  return lines;
}
