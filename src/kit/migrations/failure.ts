import type { MigrationFile } from './files.ts';
import { MigrationFailedError } from './errors.ts';
import type { Statement } from './parse.ts';

/** Conditions whose primary message names objects and words of the statement, which stand in the file anyway. */
const ABOUT_THE_TEXT = /^(42|0A|25|3F|2B)/;

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
  P0001: 'The file itself raised an exception',
};

interface ServerError {
  readonly code?: string;
  readonly message?: string;
  readonly constraint?: string;
  /** Where in the statement, counted from 1; only for errors about its text. */
  readonly position?: string;
}

/** Turns the server's error into one that names file, line and SQLSTATE, and holds no value of a row. */
export function failure(
  file: MigrationFile,
  statement: Statement,
  error: unknown,
  done: readonly string[],
): MigrationFailedError {
  const { code, message, constraint, position } = error as ServerError;
  const line = statement.line + linesBefore(statement.text, Number(position ?? 1) - 1);
  const sqlState = code && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
  const text = sentenceFor(sqlState, message, constraint);
  return new MigrationFailedError(
    file.name,
    line,
    { sqlState, sentence: `${text} [${sqlState ?? 'no answer'}].` },
    done,
  );
}

function sentenceFor(sqlState: string | undefined, message = '', constraint?: string): string {
  if (!sqlState) return 'The connection to the server was lost; what had run of this file is rolled back';
  // A file's own RAISE is its author's sentence to the operator.
  if (ABOUT_THE_TEXT.test(sqlState) || sqlState === 'P0001') return message.split('\n')[0] ?? '';
  const known = SENTENCES[sqlState] ?? 'The server refused the statement';
  return constraint ? `${known} (${constraint})` : known;
}

function linesBefore(text: string, offset: number): number {
  return text.slice(0, Math.max(0, offset)).split('\n').length - 1;
}
