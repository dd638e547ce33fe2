import { OptimisticLockError, ValidationError } from '@mikro-orm/core';
import { isDataError } from './data-error.ts';

/**
 * Makes an error that MikroORM raises itself, during a flush or a lock, safe to log, and answers it.
 *
 * Such an error carries the whole entity, which loggers and serialisers print, and some messages print it as well. A lost
 * version is also given the shape of a data error: it is a lost race like any other, and the work may be run again.
 */
export function withoutEntity(error: unknown): unknown {
  if (!(error instanceof ValidationError) || isDataError(error)) return error;
  const [message = '', ...dump] = error.message.split('\n');
  if (dump.length > 0) {
    error.stack = error.stack?.replace(error.message, message);
    error.message = message;
  }
  const entity: unknown = error.getEntity();
  Object.defineProperty(error, 'entity', { value: entity, enumerable: false });
  if (error instanceof OptimisticLockError) {
    Object.assign(error, { code: 'DATA.CONCURRENCY', status: 409, retryable: true });
  }
  return error;
}
