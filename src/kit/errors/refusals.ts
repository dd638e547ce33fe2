import {
  CheckConstraintViolationException,
  ConnectionException,
  DeadlockException,
  type Dictionary,
  DriverException,
  ForeignKeyConstraintViolationException,
  LockWaitTimeoutException,
  NotNullConstraintViolationException,
  ServerException,
  UniqueConstraintViolationException,
} from '@mikro-orm/core';
import type { DataError } from './data-error.ts';

/** 23505 and 23P01: a row with the same unique value exists. */
export class ConflictError extends UniqueConstraintViolationException implements DataError {
  declare code: string;
  readonly status: number = 409;
  readonly retryable = false;
  declare readonly constraint?: string;
}

/** 23503 and 23001: a referenced row does not exist, or a row is still referenced. */
export class ForeignKeyError extends ForeignKeyConstraintViolationException implements DataError {
  declare code: string;
  readonly status: number = 409;
  readonly retryable = false;
  declare readonly constraint?: string;
}

/** 23502: a required column got no value. */
export class MissingValueError extends NotNullConstraintViolationException implements DataError {
  declare code: string;
  readonly status: number = 400;
  readonly retryable = false;
  declare readonly column?: string;
}

/** 23514: a check constraint was not met. */
export class CheckError extends CheckConstraintViolationException implements DataError {
  declare code: string;
  readonly status: number = 400;
  readonly retryable = false;
  declare readonly constraint?: string;
}

/** Class 22: a value that its column's type cannot hold (too long, out of range, malformed). */
export class InvalidDataError extends ServerException implements DataError {
  declare code: string;
  readonly status: number = 400;
  readonly retryable = false;
}

/** 40001 and 40P01: this transaction lost against another one; run it again from its start. */
export class ConcurrencyError extends DeadlockException implements DataError {
  declare code: string;
  readonly status: number = 409;
  readonly retryable = true;
}

/** 55P03: a lock was not granted within `lock_timeout`, or at once with NOWAIT. */
export class LockNotAvailableError extends LockWaitTimeoutException implements DataError {
  declare code: string;
  readonly status: number = 409;
  readonly retryable = true;
}

/** 57014: the statement was cancelled, most often by `statement_timeout`. */
export class QueryTimeoutError extends DriverException implements DataError {
  declare code: string;
  readonly status: number = 503;
  readonly retryable = false;
}

/** Class 08, 53300, 57P0x and socket errors: the database cannot be reached or is going away. */
export class UnavailableError extends ConnectionException implements DataError {
  declare code: string;
  readonly status: number = 503;
  readonly retryable = true;
}

/**
 * The transaction was rolled back although nothing of it failed where it was to be committed: a statement or a joined unit
 * of work in it had failed before, and that error was caught. `cause` is that error, where it is known.
 */
export class RolledBackError extends DriverException implements DataError {
  declare code: string;
  readonly status: number = 500;
  readonly retryable = false;
}

/** TS001 and TS002: a table's backstop has refused to lose a row, or to change one that is marked as deleted. */
export class BackstopError extends ServerException implements DataError {
  declare code: string;
  readonly status: number = 500;
  readonly retryable = false;
  declare readonly table?: string;
}

/** Any other refusal, most often a mistake in a statement (class 42). */
export class QueryError extends ServerException implements DataError {
  declare code: string;
  readonly status: number = 500;
  readonly retryable = false;
}

/** A class of this file; MikroORM's exceptions take the error that they refine. */
export type RefusalClass = new (previous: Error & Dictionary) => DataError & DriverException;
