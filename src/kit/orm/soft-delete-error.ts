/** A call that soft delete cannot answer safely, and that is therefore refused: a mistake in the program, not in the data. */
export class SoftDeleteError extends Error {
  override readonly name = 'SoftDeleteError';
  readonly code:
    | 'SOFT_DELETE.WRONG_SCOPE'
    | 'SOFT_DELETE.TRUNCATE'
    | 'SOFT_DELETE.KYSELY'
    | 'SOFT_DELETE.MAPPING'
    | 'SOFT_DELETE.NO_BACKSTOP'
    | 'SOFT_DELETE.NOT_SOFT_DELETABLE'
    | 'SOFT_DELETE.UPSERT'
    | 'SOFT_DELETE.VIEW';

  private constructor(code: SoftDeleteError['code'], message: string) {
    super(message);
    this.code = code;
  }

  /** `subject` was made inside a scope and used outside it, the other way round, or after its end. */
  static wrongScope(subject: string): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.WRONG_SCOPE',
      `${subject} belongs to another scope of skipSoftDelete, withDeleted or onlyDeleted, or to code outside one. ` +
        'Inside a scope, use only the entity manager that it hands to its callback; outside, use your own.',
    );
  }

  static truncate(entity: string): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.TRUNCATE',
      `TRUNCATE of ${entity} would remove deleted and hidden rows too. Run it inside skipSoftDelete, or delete by condition.`,
    );
  }

  /** Kysely's DELETE or MERGE of a soft-deletable table, which cannot be made an update. */
  static kysely(entity: string): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.KYSELY',
      `DELETE and MERGE of ${entity} by Kysely would remove rows physically. ` +
        'Use em.nativeDelete or em.createQueryBuilder(…).delete(), or run it inside skipSoftDelete.',
    );
  }

  /** `live(…)` of a class that has no dead rows. */
  static notSoftDeletable(entity: string): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.NOT_SOFT_DELETABLE',
      `${entity} is not soft-deletable, so that its rows are always there. ` +
        'Leave the condition out, or call softDelete.register(Class) beside setClass.',
    );
  }

  /** An upsert of an entity that has not said what becomes of a deleted row with the same key. */
  static upsert(entity: string): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.UPSERT',
      `${entity} has no upsert policy, so an upsert that meets a deleted row has no answer. ` +
        `Write softDelete.register(${entity}, { upsert: 'revive' }), or 'refuse' or 'beside'.`,
    );
  }

  /** A write to a soft-deletable view. */
  static view(entity: string): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.VIEW',
      `${entity} is a view, and views are for reading. Write to the entity of the table that it shows.`,
    );
  }

  /** An entity is mapped in a way that soft delete does not support; raised when the ORM starts. */
  static mapping(entity: string, reason: string): SoftDeleteError {
    return new SoftDeleteError('SOFT_DELETE.MAPPING', `${entity} ${reason}`);
  }

  /** Tables of soft-deletable entities that the database would let lose a row. */
  static noBackstop(tables: readonly string[]): SoftDeleteError {
    return new SoftDeleteError(
      'SOFT_DELETE.NO_BACKSTOP',
      `The database has no backstop for ${tables.join(', ')}, or it is disabled. ` +
        'Write one with "tombstone backstop", apply it, and enable its triggers.',
    );
  }
}
