/** Codes of everything that the engine refuses; each is also one exit code class of the command. */
export type MigrationErrorCode =
  | 'MIGRATION.ILLEGAL_NAME'
  | 'MIGRATION.DUPLICATE_VERSION'
  | 'MIGRATION.SYNTAX'
  | 'MIGRATION.VARIABLE'
  | 'MIGRATION.CHECKSUM_MISMATCH'
  | 'MIGRATION.COMMENT_CHANGED'
  | 'MIGRATION.RENAMED'
  | 'MIGRATION.UNKNOWN'
  | 'MIGRATION.OUT_OF_ORDER'
  | 'MIGRATION.IRREVERSIBLE'
  | 'MIGRATION.LOCK_TIMEOUT'
  | 'MIGRATION.FAILED'
  | 'MIGRATION.UNFINISHED'
  | 'MIGRATION.IN_DOUBT'
  | 'MIGRATION.BACKFILL_PAUSED'
  | 'MIGRATION.BACKFILL_UNVERIFIED'
  | 'MIGRATION.CONTRACT_REFUSED'
  | 'MIGRATION.CODE_TOO_OLD'
  | 'MIGRATION.POOLED'
  | 'MIGRATION.NO_SUCH_FILE'
  | 'MIGRATION.LEDGER'
  | 'MIGRATION.NOT_EMPTY'
  | 'MIGRATION.UNSUPPORTED'
  | 'MIGRATION.BAD_URL'
  | 'MIGRATION.UNREACHABLE'
  | 'MIGRATION.WRONG_PASSWORD'
  | 'MIGRATION.NO_DATABASE'
  | 'MIGRATION.SERVER_TOO_OLD'
  | 'MIGRATION.PENDING'
  | 'MIGRATION.SCRATCH'
  | 'MIGRATION.RESET_REFUSED'
  | 'MIGRATION.ADOPTION';

/** What a program may want to know of an error besides code and file. No value of a row, no statement with values. */
export type ErrorDetails = Readonly<Record<string, unknown>>;

/** Base of the engine's errors. The message says what to do next and holds no password and no value of a row. */
export class MigrationError extends Error {
  override readonly name: string = 'MigrationError';
  readonly code: MigrationErrorCode;
  /** The file as the ledger names it, where the error is about one file. */
  readonly file: string | undefined;
  /** The same facts as the message, for programs: lines, SQLSTATE, files that were applied before, who blocks. */
  readonly details: ErrorDetails;

  constructor(code: MigrationErrorCode, message: string, file?: string, details: ErrorDetails = {}) {
    super(message);
    this.code = code;
    this.file = file;
    this.details = details;
  }
}

/** A file's text cannot be read as a migration; nothing has run. */
export class MigrationSyntaxError extends MigrationError {
  override readonly name = 'MigrationSyntaxError';
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;

  constructor(file: string, line: number, column: number, problem: string) {
    super('MIGRATION.SYNTAX', `${file}:${line}:${column}: ${problem}`, file, { line, column });
    this.line = line;
    this.column = column;
  }
}

/** What was edited: something that runs, only white space and comments, or one of them and nobody can tell. */
export type EditKind = 'statements' | 'comments' | 'unknown';

const EDITS: Readonly<Record<EditKind, readonly [MigrationErrorCode, string, string]>> = {
  statements: [
    'MIGRATION.CHECKSUM_MISMATCH',
    'was changed after it had been applied',
    'Either restore the text that was applied, or put the change into a new migration.',
  ],
  unknown: [
    'MIGRATION.CHECKSUM_MISMATCH',
    'was changed after it had been applied (whether only in its comments was not recorded then)',
    'Either restore the text that was applied, or put the change into a new migration.',
  ],
  comments: [
    'MIGRATION.COMMENT_CHANGED',
    'has other comments or white space than when it was applied; its statements are the same',
    'Either restore the text, or accept it with "migrate repair" and this file.',
  ],
};

/** A file was edited after it had been applied; nothing has run. */
export class ChecksumMismatchError extends MigrationError {
  override readonly name = 'ChecksumMismatchError';
  readonly recorded: string;
  readonly found: string;
  readonly kind: EditKind;

  constructor(file: string, recorded: string, found: string, kind: EditKind = 'statements') {
    const [code, what, remedy] = EDITS[kind];
    const message = `${file} ${what}.\n  recorded ${recorded}\n  found    ${found}\n${remedy}`;
    super(code, message, file, { edited: kind, recorded, found });
    this.recorded = recorded;
    this.found = found;
    this.kind = kind;
  }
}

/** What a failed run has done before and left behind. */
export interface Outcome {
  readonly direction: 'up' | 'down';
  /** Files that this run had applied or reverted before. */
  readonly done: readonly string[];
  /** A sentence about the file that failed. */
  readonly left: string;
  /** How much of a NO TRANSACTION file stays done; undefined where that is not known, or the file has a transaction. */
  readonly statements?: StatementCount | undefined;
}

/** Statements of one direction of a file. */
export interface StatementCount {
  readonly done: number;
  readonly of: number;
}

/** A statement failed. What the failing file had done is rolled back, unless it is a NO TRANSACTION file. */
export class MigrationFailedError extends MigrationError {
  override readonly name: string = 'MigrationFailedError';
  readonly sqlState: string | undefined;
  readonly line: number;
  /** Files that this run had applied or reverted before, and that stay so. */
  readonly done: readonly string[];

  constructor(
    file: string,
    line: number,
    reason: { sqlState?: string | undefined; sentence: string },
    { direction, done, left, statements }: Outcome,
  ) {
    const verb = direction === 'up' ? 'Applied' : 'Reverted';
    const before =
      done.length === 0
        ? `No file was ${verb.toLowerCase()} before it.`
        : `${verb} before it: ${done.join(', ')}.`;
    const facts = { line, sqlState: reason.sqlState, direction, done, statements };
    super('MIGRATION.FAILED', `${file}:${line}: ${reason.sentence}\n${left} ${before}`, file, facts);
    this.line = line;
    this.sqlState = reason.sqlState;
    this.done = done;
  }
}
