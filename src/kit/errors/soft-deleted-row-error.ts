import type { DataError } from './data-error.ts';

/**
 * A flush tried to change rows that are deleted, hidden by a deleted row, or gone. Nothing of the flush was written.
 *
 * Clear the entity manager, or remove the named entities from it, before the next flush: they still hold the change.
 */
export class SoftDeletedRowError extends Error implements DataError {
  override readonly name = 'SoftDeletedRowError';
  readonly code: string = 'DATA.SOFT_DELETED_ROW';
  readonly status: number = 404;
  readonly retryable = false;
  readonly entityName: string;
  /** Primary keys of the rows, as text. */
  readonly keys: readonly string[];

  constructor(entityName: string, keys: readonly string[]) {
    super(
      `${entityName} ${keys.join(', ')} is deleted, gone, or hidden by a deleted row, so it was not changed. ` +
        'Restore what is deleted first, or drop the change and clear the entity manager.',
    );
    this.entityName = entityName;
    this.keys = keys;
  }
}
