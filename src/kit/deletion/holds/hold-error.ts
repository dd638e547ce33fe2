import type { DataError } from '../../errors/index.ts';

export type HoldErrorCode =
  | 'HOLD.NO_TABLE'
  | 'HOLD.UNKNOWN_ENTITY'
  | 'HOLD.NO_REASON'
  | 'HOLD.NO_ROW'
  | 'HOLD.UNKNOWN'
  | 'HOLD.RELEASED';

const STATUS: Readonly<Partial<Record<HoldErrorCode, number>>> = {
  'HOLD.NO_TABLE': 500,
  'HOLD.RELEASED': 409,
  'HOLD.NO_REASON': 400,
};

/** A hold is not placed or not released. */
export class HoldError extends Error implements DataError {
  override readonly name = 'HoldError';
  readonly code: HoldErrorCode;
  readonly status: number;
  readonly retryable = false;

  private constructor(code: HoldErrorCode, message: string) {
    super(message);
    this.code = code;
    this.status = STATUS[code] ?? 404;
  }

  static noTable(): HoldError {
    return new HoldError(
      'HOLD.NO_TABLE',
      'The database has no table for holds. Run the migrations of deletionJournal.',
    );
  }

  static keyOfNothing(): HoldError {
    return new HoldError(
      'HOLD.UNKNOWN_ENTITY',
      'A key is that of an entity. Name the entity whose row it is.',
    );
  }

  static unknownEntity(entity: string): HoldError {
    return new HoldError(
      'HOLD.UNKNOWN_ENTITY',
      `${entity} has no table with a primary key in this database. Name an entity that a module lists and whose table the migrations have made.`,
    );
  }

  static noReason(): HoldError {
    return new HoldError('HOLD.NO_REASON', 'A hold needs a reason. Name the matter that it is for.');
  }

  /** It may have been removed a moment ago: whoever asks for a hold has to learn that it came too late. */
  static noRow(entity: string): HoldError {
    return new HoldError(
      'HOLD.NO_ROW',
      `There is no row of ${entity} with this key, dead or live, so that nothing is held. Check the key; a row that was removed for good is in a backup only.`,
    );
  }

  static unknown(): HoldError {
    return new HoldError('HOLD.UNKNOWN', 'There is no such hold. Take its id from placeHold or holdsOf.');
  }

  static released(): HoldError {
    return new HoldError(
      'HOLD.RELEASED',
      'The hold was released before. Place another one if rows are to be kept.',
    );
  }
}
