/** Why the guarantee cannot be had for a relation, in a sentence that says what to do. */
export class LiveParentError extends Error {
  override readonly name = 'LiveParentError';
  readonly code:
    | 'LIVE_PARENT.NO_KEY'
    | 'LIVE_PARENT.AMBIGUOUS'
    | 'LIVE_PARENT.HARD_PARENT'
    | 'LIVE_PARENT.HARD_CHILD'
    | 'LIVE_PARENT.KEEP'
    | 'LIVE_PARENT.DIVIDED'
    | 'LIVE_PARENT.GUARDED'
    | 'LIVE_PARENT.NOT_GUARDED';

  private constructor(code: LiveParentError['code'], message: string) {
    super(message);
    this.code = code;
  }

  static noKey(what: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.NO_KEY',
      `${JSON.stringify(what)} is no relation with a foreign key in the database, and no foreign key. Name one as Entity.property or by its constraint, and apply its migration first.`,
    );
  }

  static ambiguous(what: string, tables: readonly string[]): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.AMBIGUOUS',
      `Several tables have a foreign key ${what}: ${tables.join(', ')}. Name the relation as Entity.property.`,
    );
  }

  static hardParent(constraint: string, parent: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.HARD_PARENT',
      `${constraint} leads to ${parent}, whose rows are never marked as deleted, so that none is dead. Give the parent soft delete first, or leave it to the foreign key.`,
    );
  }

  static hardChild(constraint: string, child: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.HARD_CHILD',
      `${constraint} belongs to ${child}, whose rows are not soft-deletable and could never fall with a parent. Give the child soft delete first, or declare restrict.`,
    );
  }

  /** The declaration says that live rows may stay under a dead parent. */
  static keep(relation: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.KEEP',
      `${relation} declares keep, which leaves live rows under a deleted parent, and the guarantee forbids just that. Declare cascade, unlink or restrict first.`,
    );
  }

  static divided(constraint: string, table: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.DIVIDED',
      `${table} of ${constraint} is partitioned, a partition, or has tables that inherit from it, and the guarantee does not know these. Leave this relation to its policy.`,
    );
  }

  static guarded(constraint: string, liveKey: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.GUARDED',
      `${constraint} has its guarantee: ${liveKey}. There is nothing to write.`,
    );
  }

  static notGuarded(constraint: string): LiveParentError {
    return new LiveParentError(
      'LIVE_PARENT.NOT_GUARDED',
      `${constraint} has no guarantee that could be validated. Write it with "tombstone live-parent add", and apply it.`,
    );
  }
}
