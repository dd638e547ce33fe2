import type { DataError } from '../errors/index.ts';
import type { RestorePreview } from './restore-preview.ts';

export type RestoreErrorCode =
  | 'DELETION.UNKNOWN_BATCH'
  | 'DELETION.ALREADY_RESTORED'
  | 'DELETION.PURGED_BATCH'
  | 'DELETION.INCOMPLETE_BATCH'
  | 'DELETION.RESTORE_CONFLICT'
  | 'DELETION.NEVER_DELETED'
  | 'DELETION.NOT_JOURNALED'
  | 'DELETION.PART_OF_BATCH';

const STATUS: Readonly<Partial<Record<RestoreErrorCode, number>>> = {
  'DELETION.UNKNOWN_BATCH': 404,
  'DELETION.NEVER_DELETED': 404,
};

/** Something is not restored, and nothing of it is. */
export class RestoreError extends Error implements DataError {
  override readonly name = 'RestoreError';
  readonly code: RestoreErrorCode;
  readonly status: number;
  readonly retryable = false;
  /** The first constraint in the way, where it is one. */
  readonly constraint: string | undefined;
  /** The batch that it is about, where there is one. */
  readonly batch: string | undefined;
  /** What stands in the way, as {@link previewRestore} shows it. */
  readonly preview: RestorePreview | undefined;

  private constructor(code: RestoreErrorCode, message: string, facts: Partial<RestoreError> = {}) {
    super(message);
    this.code = code;
    this.status = STATUS[code] ?? 409;
    this.constraint = facts.constraint;
    this.batch = facts.batch;
    this.preview = facts.preview;
  }

  static unknownBatch(batch?: string): RestoreError {
    return new RestoreError(
      'DELETION.UNKNOWN_BATCH',
      'The journal has no such batch. Take the id from deleteRows, withDeletionContext or deletionOf; the entry may also have been pruned.',
      { batch },
    );
  }

  static alreadyRestored(batch: string): RestoreError {
    return new RestoreError(
      'DELETION.ALREADY_RESTORED',
      `Batch ${batch} was restored before. Look at its rows; what was deleted again since is in another batch.`,
      { batch },
    );
  }

  static purged(preview: RestorePreview): RestoreError {
    return new RestoreError(
      'DELETION.PURGED_BATCH',
      `The rows of batch ${preview.batch} were removed for good. Take them from a backup.`,
      { batch: preview.batch, preview },
    );
  }

  static incomplete(preview: RestorePreview): RestoreError {
    const states = preview.changed.map(({ table, state, rows }) => `${rows} of ${table} ${STATES[state]}`);
    return new RestoreError(
      'DELETION.INCOMPLETE_BATCH',
      `Batch ${preview.batch} is not whole any more: ${states.join(', ')}. ` +
        `Restore what is left with { changed: 'skip' }, or leave it.`,
      { batch: preview.batch, preview },
    );
  }

  static conflict(preview: RestorePreview): RestoreError {
    const { liveTwins, deadAncestors } = preview;
    const twins = liveTwins.map(({ table, constraint, rows }) => `${rows} of ${table} by ${constraint}`);
    const dead = deadAncestors.map(({ table, constraint, rows }) => `${rows} of ${table} by ${constraint}`);
    return new RestoreError(
      'DELETION.RESTORE_CONFLICT',
      [
        `Batch ${preview.batch} was not restored.`,
        ...(twins.length > 0 ? [`Live rows have taken unique values of it: ${twins.join(', ')}.`] : []),
        ...(dead.length > 0 ? [`Rows that it refers to are deleted themselves: ${dead.join(', ')}.`] : []),
        'Change or delete the live rows, restore the deleted ones first, and try again.',
      ].join(' '),
      { batch: preview.batch, preview, constraint: (liveTwins[0] ?? deadAncestors[0])?.constraint },
    );
  }

  static neverDeleted(entity: string): RestoreError {
    return new RestoreError(
      'DELETION.NEVER_DELETED',
      `The row of ${entity} is not deleted, or it does not exist. Take its key from onlyDeleted or withDeleted.`,
    );
  }

  static notJournaled(entity: string): RestoreError {
    return new RestoreError(
      'DELETION.NOT_JOURNALED',
      `The row of ${entity} was deleted without the journal, so that what fell with it is not known. ` +
        'Lift its mark alone with restoreByKey of its repository.',
    );
  }

  static partOfBatch(entity: string, batch: string): RestoreError {
    return new RestoreError(
      'DELETION.PART_OF_BATCH',
      `The row of ${entity} fell because of another one. Restore all of batch ${batch}, or the row that was deleted itself.`,
      { batch },
    );
  }
}

const STATES = {
  gone: 'were removed for good',
  live: 'are live again',
  moved: 'were deleted again since',
  unknown: 'are of a table that is not mapped here',
} as const;
