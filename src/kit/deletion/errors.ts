/** A declaration or a call that cannot be carried out: a mistake in the program or in the schema, not in the data. */
export class DeletionError extends Error {
  override readonly name = 'DeletionError';
  readonly code:
    | 'DELETION.CONTRADICTION'
    | 'DELETION.UNDECLARED'
    | 'DELETION.NO_JOURNAL'
    | 'DELETION.NOT_REGISTERED'
    | 'DELETION.QUERY_BUILDER'
    | 'DELETION.FLUSH_ORDER'
    | 'DELETION.RESISTED'
    | 'DELETION.SCOPE';
  /** The foreign key that it is about, where it is about one. */
  readonly constraint: string | undefined;

  private constructor(code: DeletionError['code'], message: string, constraint?: string) {
    super(message);
    this.code = code;
    this.constraint = constraint;
  }

  /** The declaration and the database say different things. */
  static contradiction(relation: string, constraint: string | undefined, reason: string): DeletionError {
    const named = constraint === undefined ? '' : ` (foreign key ${constraint})`;
    return new DeletionError('DELETION.CONTRADICTION', `${relation}${named} ${reason}`, constraint);
  }

  /** The database's own answer cannot be taken over, and the program gives none. */
  static undeclared(relation: string, constraint: string, reason: string): DeletionError {
    return new DeletionError(
      'DELETION.UNDECLARED',
      `${relation} (foreign key ${constraint}) ${reason}`,
      constraint,
    );
  }

  static noJournal(): DeletionError {
    return new DeletionError(
      'DELETION.NO_JOURNAL',
      'The database has no deletion journal. List deletionJournal among the modules of defineDataConfig and run the migrations.',
    );
  }

  static notRegistered(entity: string): DeletionError {
    return new DeletionError(
      'DELETION.NOT_REGISTERED',
      `${entity} does not delete by policies. Call deletion.register(${entity}) behind softDelete.register, or use em.remove.`,
    );
  }

  static notSoftDeletable(entity: string): DeletionError {
    return new DeletionError(
      'DELETION.NOT_REGISTERED',
      `${entity} is not soft-deletable, so that nothing of it could be restored. Call softDelete.register(${entity}) first.`,
    );
  }

  static queryBuilder(entity: string): DeletionError {
    return new DeletionError(
      'DELETION.QUERY_BUILDER',
      `${entity} deletes by policies, which take more than the one statement of a query builder. Use em.nativeDelete or deleteRows.`,
    );
  }

  /** The flush deletes a row first because a new one takes its unique value, and moves rows away from it afterwards. */
  static flushOrder(relation: string, parent: string): DeletionError {
    return new DeletionError(
      'DELETION.FLUSH_ORDER',
      `${relation} is moved away from a row of ${parent} that the same flush deletes before, because a new row takes its key or unique value. ` +
        `Give the ${parent} that goes another value and flush, and then move and remove, in one transaction.`,
    );
  }

  /** An UPDATE of the mark changed fewer rows than it was to. */
  static resisted(table: string, rows: number): DeletionError {
    return new DeletionError(
      'DELETION.RESISTED',
      `A trigger or a rule of ${table} kept ${rows} rows live, so that nothing was deleted. Let it pass updates of the mark.`,
    );
  }

  /** Rows would be removed for good, and the call promises a deletion that can be restored. */
  static scope(): DeletionError {
    return new DeletionError(
      'DELETION.SCOPE',
      'Inside skipSoftDelete rows are removed for good. Call this outside of it, or use em.nativeDelete there.',
    );
  }
}
