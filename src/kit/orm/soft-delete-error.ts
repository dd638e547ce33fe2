/** A call that soft delete cannot answer safely, and that is therefore refused: a mistake in the program, not in the data. */
export class SoftDeleteError extends Error {
  override readonly name = 'SoftDeleteError';
  readonly code:
    | 'SOFT_DELETE.WRONG_SCOPE'
    | 'SOFT_DELETE.TRUNCATE'
    | 'SOFT_DELETE.KYSELY'
    | 'SOFT_DELETE.VIEW'
    | 'SOFT_DELETE.MAPPING';

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
      `TRUNCATE of ${entity} would remove deleted rows too. Run it inside skipSoftDelete, or delete by condition.`,
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
}
