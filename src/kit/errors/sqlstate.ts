import { planRefusalOf } from './plan-refusal.ts';
import {
  BackstopError,
  CheckError,
  ConcurrencyError,
  ConflictError,
  ForeignKeyError,
  InvalidDataError,
  LockNotAvailableError,
  MissingValueError,
  QueryError,
  QueryTimeoutError,
  type RefusalClass,
  RolledBackError,
  UnavailableError,
} from './refusals.ts';

/** What one kind of refusal becomes. */
export interface Refusal {
  readonly type: RefusalClass;
  readonly code: string;
  /** What happened and what to do next, without a value of a row. */
  readonly sentence: string;
}

/** 23505, 23P01, and a key that a row of another class of the same table holds. */
export const CONFLICT: Refusal = {
  type: ConflictError,
  code: 'DATA.CONFLICT',
  sentence: 'A row with the same unique value exists. Read it, or choose another value.',
};
const foreignKey: Refusal = {
  type: ForeignKeyError,
  code: 'DATA.FOREIGN_KEY',
  sentence: 'A referenced row does not exist, or other rows still refer to this one. Check the key.',
};
/** 40001 and 40P01, and work that other sessions have overtaken too often. */
export const LOST_RACE: Refusal = {
  type: ConcurrencyError,
  code: 'DATA.CONCURRENCY',
  sentence: 'The transaction lost against a concurrent one. Run the whole unit of work again.',
};
/** Of a prepared statement in a transaction; outside of one it is sent again. */
const refusedPlan: Refusal = {
  ...LOST_RACE,
  sentence:
    'A prepared statement was no longer usable: a migration has changed its tables, or a pooler the session. Run the whole ' +
    'unit of work again, which prepares it anew.',
};
const invalid: Refusal = {
  type: InvalidDataError,
  code: 'DATA.INVALID',
  sentence: 'A value does not fit its column (too long, out of range or malformed). Check the input.',
};
const unavailable: Refusal = {
  type: UnavailableError,
  code: 'DATA.UNAVAILABLE',
  sentence: 'The database cannot be reached or is shutting down. Check the address and try again.',
};
const untrusted: Refusal = {
  ...unavailable,
  sentence:
    'The encrypted connection to the database was refused. Check its certificate, and the option ssl of the connection.',
};
/** What `pg` raises by itself after `query_timeout`. */
const unanswered: Refusal = {
  type: QueryTimeoutError,
  code: 'DATA.TIMEOUT',
  sentence:
    'The statement had no answer within query_timeout, and its session was ended. Narrow it, allow it more time, or check ' +
    'the network.',
};
const query: Refusal = {
  type: QueryError,
  code: 'DATA.QUERY',
  sentence: 'PostgreSQL refused the statement. Look its SQLSTATE up and correct the statement.',
};

/** 25P02, and the answer to a COMMIT that PostgreSQL would turn into a ROLLBACK without an error. */
export const ROLLED_BACK: Refusal = {
  type: RolledBackError,
  code: 'DATA.ROLLED_BACK',
  sentence:
    'The transaction was rolled back, because work in it had failed and the error was caught. ' +
    'Let such errors out of the transaction, or give the work a savepoint of its own (propagation NESTED).',
};

const EXACT: Readonly<Record<string, Refusal>> = {
  '23505': CONFLICT,
  '23P01': CONFLICT,
  '23503': foreignKey,
  '23001': foreignKey,
  '23502': {
    type: MissingValueError,
    code: 'DATA.INVALID',
    sentence: 'A required column got no value. Supply it.',
  },
  '23514': {
    type: CheckError,
    code: 'DATA.INVALID',
    sentence: 'A check constraint was not met. Check the input.',
  },
  '40001': LOST_RACE,
  '40P01': LOST_RACE,
  '55P03': {
    type: LockNotAvailableError,
    code: 'DATA.CONCURRENCY',
    sentence: 'A lock was not granted in time. Try again.',
  },
  '57014': {
    type: QueryTimeoutError,
    code: 'DATA.TIMEOUT',
    sentence:
      'The statement was cancelled, most often by statement_timeout. Narrow it or allow it more time.',
  },
  '25P02': ROLLED_BACK,
  TS001: {
    type: BackstopError,
    code: 'DATA.BACKSTOP',
    sentence:
      'The database refused to remove a row of a soft-deletable table. Delete it through the ORM, which marks it, or ' +
      'remove it inside skipSoftDelete, of an ORM whose configuration says backstop: true.',
  },
  TS002: {
    type: BackstopError,
    code: 'DATA.BACKSTOP',
    sentence:
      'The database refused to change a row that is marked as deleted. Add "deleted_at IS NULL" to the statement, or run ' +
      'it inside skipSoftDelete, of an ORM whose configuration says backstop: true.',
  },
  '53300': unavailable,
  '57P01': unavailable,
  '57P02': unavailable,
  '57P03': unavailable,
  '57P05': unavailable,
  '25P03': unavailable,
  '28P01': {
    ...unavailable,
    sentence: 'The database refused the password. Check the credentials in the environment.',
  },
  '28000': {
    ...unavailable,
    sentence: 'The database refused the login. Check the user and pg_hba.conf.',
  },
  '3D000': {
    ...unavailable,
    sentence: 'The database does not exist. Create it, or correct its name in the URL.',
  },
};

const BY_CLASS: Readonly<Record<string, Refusal>> = { '08': unavailable, '22': invalid };

const SQLSTATE = /^[0-9A-Z]{5}$/;
// pg and pg-pool raise these without a code.
const CONNECTION_TEXT =
  /connection (terminated|ended|closed)|timeout exceeded when trying to connect|client has encountered a connection error|not queryable|cannot use a pool after/i;
const SILENCE_TEXT = /^query read timeout$/i;
const SOCKET_CODES = /^(ECONN|ENOTFOUND|EPIPE|ETIMEDOUT|EHOST|ENET|EAI_)/;
// Node's, and one of pg without a code.
const TLS_CODES = /^(CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|ERR_TLS_|ERR_SSL_)/;
const TLS_TEXT = /server does not support ssl connections/i;

/** Which refusal an error of the driver is; `undefined` when it does not come from the database at all. */
export function refusalOf(error: Error & { code?: unknown }): Refusal | undefined {
  const code = typeof error.code === 'string' ? error.code : '';
  if (planRefusalOf(error)) return refusedPlan;
  if (SQLSTATE.test(code) && !SOCKET_CODES.test(code))
    return EXACT[code] ?? BY_CLASS[code.slice(0, 2)] ?? query;
  if (SOCKET_CODES.test(code) || CONNECTION_TEXT.test(error.message)) return unavailable;
  if (code === '' && SILENCE_TEXT.test(error.message)) return unanswered;
  if (TLS_CODES.test(code) || TLS_TEXT.test(error.message)) return untrusted;
  return undefined;
}
