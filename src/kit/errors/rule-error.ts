import type { DataError } from './data-error.ts';
import type { DomainError } from './domain-errors.ts';

/** A rule of the module says no to what the stored rows are now: a code that was used, a row that is in use. */
export class RuleError extends Error implements DataError {
  override readonly name = 'RuleError';
  readonly code: string;
  readonly status: number;
  readonly retryable = false;

  constructor({ code, status, message }: DomainError) {
    super(message);
    this.code = code;
    this.status = status;
  }
}
