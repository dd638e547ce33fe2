import { isError } from './is-error.ts';

/**
 * What every error of the data layer carries, whichever class it is.
 *
 * An interface and not a superclass: each class also extends the MikroORM exception that it refines, so code that
 * catches `UniqueConstraintViolationException` keeps working.
 */
export interface DataError extends Error {
  /** `DATA.*` for the kit's own errors, a module's code (`EMAIL_EXISTS`) where a constraint has a domain meaning. */
  readonly code: string;
  /** The HTTP status class that a service would answer with. */
  readonly status: number;
  /** Whether the same unit of work may succeed when it is run again from its start. */
  readonly retryable: boolean;
  /** PostgreSQL's five-character SQLSTATE, when the database said no. */
  readonly sqlState?: string;
  /** The violated constraint or unique index, when there is one. */
  readonly constraint?: string;
}

/**
 * Tells whether `error` is a {@link DataError}, and of the given `code` when one is given.
 *
 * It looks at the shape and not at the class, so it also works when two copies of the package are loaded.
 */
export function isDataError(error: unknown, code?: string): error is DataError {
  if (!isError(error)) return false;
  const candidate = error as Partial<DataError>;
  const shaped =
    typeof candidate.code === 'string' &&
    typeof candidate.status === 'number' &&
    typeof candidate.retryable === 'boolean';
  return shaped && (code === undefined || candidate.code === code);
}
