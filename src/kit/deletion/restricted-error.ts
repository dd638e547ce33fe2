import type { DataError } from '../errors/index.ts';

/** Live rows that forbid a deletion. */
export interface Blocker {
  readonly constraint: string;
  readonly table: string;
  readonly rows: number;
  /** Primary keys as text, the first ten. */
  readonly keys: readonly string[];
}

/** Live rows refer to what was to be deleted, by a relation that restricts. Nothing was deleted. */
export class DeletionRestrictedError extends Error implements DataError {
  override readonly name = 'DeletionRestrictedError';
  readonly code: string = 'DELETION.RESTRICTED';
  readonly status: number = 409;
  readonly retryable = false;
  /** The first of the foreign keys. */
  readonly constraint: string;
  readonly blockers: readonly Blocker[];

  constructor(entity: string, blockers: readonly Blocker[]) {
    const named = blockers.map(({ table, constraint, rows }) => `${rows} of ${table} by ${constraint}`);
    super(
      `${entity} was not deleted: live rows refer to it or to what falls with it (${named.join(', ')}). ` +
        'Delete or move those rows first, or give the relation another policy.',
    );
    this.constraint = blockers[0]?.constraint ?? '';
    this.blockers = blockers;
  }
}
