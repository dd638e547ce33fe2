import type { DataError } from '../../errors/index.ts';
import type { Blocker } from '../restricted-error.ts';

export type ErasureErrorCode =
  | 'ERASURE.NO_TABLE'
  | 'ERASURE.NO_REASON'
  | 'ERASURE.NO_ROW'
  | 'ERASURE.HELD'
  | 'ERASURE.REFERENCED'
  | 'ERASURE.COLUMN'
  | 'ERASURE.RESISTED';

const STATUS: Readonly<Partial<Record<ErasureErrorCode, number>>> = {
  'ERASURE.NO_TABLE': 500,
  'ERASURE.NO_REASON': 400,
  'ERASURE.NO_ROW': 404,
  'ERASURE.COLUMN': 400,
  'ERASURE.RESISTED': 500,
};

/** Rows of one table, with the first ten of their keys. */
export type Held = Omit<Blocker, 'constraint'>;

/** Something is not erased, and nothing of it is. */
export class ErasureError extends Error implements DataError {
  override readonly name = 'ErasureError';
  readonly code: ErasureErrorCode;
  readonly status: number;
  readonly retryable = false;
  /** The first of the foreign keys by which other rows refer to what was to be removed. */
  readonly constraint: string | undefined;
  /** The rows that refer to what was to be removed, and are not erased with it. */
  readonly blockers: readonly Blocker[];
  /** The rows that are held. */
  readonly held: readonly Held[];

  private constructor(code: ErasureErrorCode, message: string, facts: Partial<ErasureError> = {}) {
    super(message);
    this.code = code;
    this.status = STATUS[code] ?? 409;
    this.constraint = facts.blockers?.[0]?.constraint;
    this.blockers = facts.blockers ?? [];
    this.held = facts.held ?? [];
  }

  static noTable(): ErasureError {
    return new ErasureError(
      'ERASURE.NO_TABLE',
      'The database has no table for the proofs of erasures. Run the migrations of deletionJournal.',
    );
  }

  static noReason(): ErasureError {
    return new ErasureError(
      'ERASURE.NO_REASON',
      'An erasure needs a reason, which its proof keeps. Name the request that it answers, without personal data.',
    );
  }

  static noRow(entity: string): ErasureError {
    return new ErasureError(
      'ERASURE.NO_ROW',
      `There is no row of ${entity} with this key, dead or live, so that nothing was erased. Check the key; erasuresOf tells what was erased before.`,
    );
  }

  static held(entity: string, held: readonly Held[]): ErasureError {
    const rows = held.map(({ table, rows: count }) => `${count} of ${table}`);
    return new ErasureError(
      'ERASURE.HELD',
      `${entity} was not erased: rows are held, or part of what is held (${rows.join(', ')}). Release the holds that holdsOf shows first.`,
      { held },
    );
  }

  static referenced(entity: string, blockers: readonly Blocker[]): ErasureError {
    const named = blockers.map(({ table, constraint, rows }) => `${rows} of ${table} by ${constraint}`);
    return new ErasureError(
      'ERASURE.REFERENCED',
      `${entity} was not erased: other rows refer to it or to what goes with it (${named.join(', ')}). ` +
        'Erase or move those rows first, or scrub the row and let it stay.',
      { blockers },
    );
  }

  /** `rule` ends the sentence "`property` cannot be scrubbed: …". */
  static column(entity: string, property: string, rule: string): ErasureError {
    return new ErasureError('ERASURE.COLUMN', `${entity}.${property} cannot be scrubbed: ${rule}`);
  }

  static nothingToScrub(entity: string): ErasureError {
    return new ErasureError(
      'ERASURE.COLUMN',
      `${entity} is to be scrubbed, and no property is named. Name those that hold personal data, each with null or a value.`,
    );
  }

  /** Something in the database has undone the removal of a row: a trigger that answers NULL, or a rule. */
  static resisted(table: string): ErasureError {
    return new ErasureError(
      'ERASURE.RESISTED',
      `Rows of ${table} were to be removed, and are still there: a trigger or a rule of the table keeps them. Take it away, or scrub the row instead.`,
    );
  }
}
