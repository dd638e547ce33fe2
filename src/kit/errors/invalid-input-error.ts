import type { DataError } from './data-error.ts';

/** An argument was refused before any SQL was sent. `field` names it; its value is never in the message. */
export class InvalidInputError extends Error implements DataError {
  override readonly name = 'InvalidInputError';
  readonly code: string = 'VALIDATION';
  readonly status: number = 400;
  readonly retryable = false;
  readonly field: string;

  /** `rule` completes the sentence "`field` must …". */
  constructor(field: string, rule: string) {
    super(`${field} must ${rule}.`);
    this.field = field;
  }
}
