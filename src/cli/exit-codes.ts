import type { MigrationErrorCode } from '../kit/migrations/index.ts';

/** What the exit code of the command tells. Numbers are an interface: a new one is added, none is reused. */
export const EXIT = {
  done: 0,
  /** Something unexpected; its sentence is all there is. Or `doctor` found an error, and its document has no `error`. */
  failed: 1,
  /** The command line, the environment or the configuration is wrong; the database was not touched. */
  usage: 2,
  /** `lint` found something of severity error. */
  lint: 3,
  /** `drift` found a difference. */
  drift: 4,
  /** `rebuild` found that the schema depends on something else than the files. */
  rebuild: 5,
  /** `check-down` found something that a Down does not give back. */
  down: 6,
} as const;

/** One exit code for each thing that the engine refuses. */
export const EXIT_OF: Readonly<Record<MigrationErrorCode, number>> = {
  'MIGRATION.BAD_URL': EXIT.usage,
  'MIGRATION.CHECKSUM_MISMATCH': 10,
  'MIGRATION.COMMENT_CHANGED': 11,
  'MIGRATION.UNKNOWN': 12,
  'MIGRATION.RENAMED': 13,
  'MIGRATION.OUT_OF_ORDER': 14,
  'MIGRATION.DUPLICATE_VERSION': 15,
  'MIGRATION.ILLEGAL_NAME': 16,
  'MIGRATION.SYNTAX': 17,
  'MIGRATION.VARIABLE': 18,
  'MIGRATION.IRREVERSIBLE': 19,
  'MIGRATION.NO_SUCH_FILE': 20,
  'MIGRATION.NOT_EMPTY': 21,
  'MIGRATION.LEDGER': 22,
  'MIGRATION.UNSUPPORTED': 23,
  'MIGRATION.FAILED': 30,
  'MIGRATION.LOCK_TIMEOUT': 31,
  'MIGRATION.UNFINISHED': 32,
  'MIGRATION.IN_DOUBT': 33,
  'MIGRATION.POOLED': 34,
  'MIGRATION.BACKFILL_UNVERIFIED': 35,
  'MIGRATION.BACKFILL_PAUSED': 36,
  'MIGRATION.CONTRACT_REFUSED': 37,
  'MIGRATION.CODE_TOO_OLD': 38,
  'MIGRATION.UNREACHABLE': 40,
  'MIGRATION.WRONG_PASSWORD': 41,
  'MIGRATION.NO_DATABASE': 42,
  'MIGRATION.SERVER_TOO_OLD': 43,
  'MIGRATION.PENDING': 24,
  'MIGRATION.SCRATCH': 50,
  'MIGRATION.RESET_REFUSED': 51,
  'MIGRATION.ADOPTION': 52,
};

const MEANINGS: Readonly<Record<number, string>> = {
  [EXIT.done]: 'done',
  [EXIT.failed]: 'failed unexpectedly, or doctor found an error',
  [EXIT.usage]: 'wrong usage, nothing was touched',
  [EXIT.lint]: 'lint found an error',
  [EXIT.drift]: 'database, files and entities differ',
  [EXIT.rebuild]: 'the rebuilt schema depends on order, clock or time zone',
  [EXIT.down]: 'a Down does not give back what Up has changed',
  10: 'statements of an applied file were changed',
  11: 'only comments or white space of an applied file were changed',
  12: 'an applied file is gone',
  13: 'an applied file has another name',
  14: 'a pending file lies below an applied one',
  15: 'two files have one number',
  16: 'a file has no legal name',
  17: 'a file cannot be read',
  18: 'a variable of a file has no usable value',
  19: 'a file has no Down',
  20: 'a name fits no file, or several',
  21: 'the ledger has rows already',
  22: 'the ledger cannot be used',
  23: 'not supported',
  24: 'files are pending',
  30: 'a statement failed',
  31: 'another run held the lock for too long',
  32: 'a half-done file stands in the way',
  33: 'nothing tells whether an interrupted statement was done',
  34: 'a pooler stands in between',
  35: 'a back-fill is through, and rows still differ',
  36: 'a back-fill is paused',
  37: 'something stands against a contract step',
  38: 'a contract step has left nothing for this code',
  40: 'the server cannot be reached, or the connection was lost',
  41: 'the server refused the login',
  42: 'there is no such database',
  43: 'the server is too old',
  50: 'no scratch database',
  51: 'reset was refused, nothing was touched',
  52: 'the database cannot be taken over as it is, nothing was changed',
};

/** Every exit code with its meaning, as `--help` lists them. */
export function exitCodeLines(): string[] {
  return Object.entries(MEANINGS).map(([code, meaning]) => `${code.padStart(4)}  ${meaning}`);
}

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** What the command has found out all the same, for `--json`. */
  readonly document: object;

  constructor(message: string, { document = {}, ...options }: ErrorOptions & { document?: object } = {}) {
    super(message, options);
    this.document = document;
  }
}
