import type { DataError } from '../../errors/index.ts';

export type RetentionErrorCode =
  | 'RETENTION.BAD_INTERVAL'
  | 'RETENTION.BAD_BATCH_SIZE'
  | 'RETENTION.UNKNOWN_ENTITY'
  | 'RETENTION.NO_POLICY'
  | 'RETENTION.NO_TENANT'
  | 'RETENTION.NOT_SOFT_DELETABLE'
  | 'RETENTION.HALF_TABLE'
  | 'RETENTION.IN_TRANSACTION'
  | 'RETENTION.NO_TABLE';

/** A policy or a purge that cannot be carried out as it was written; nothing was removed. */
export class RetentionError extends Error implements DataError {
  override readonly name = 'RetentionError';
  readonly code: RetentionErrorCode;
  readonly status = 400;
  readonly retryable = false;

  private constructor(code: RetentionErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  static badInterval(): RetentionError {
    return new RetentionError(
      'RETENTION.BAD_INTERVAL',
      "An interval is a whole number above zero with its unit, or several of these: '30 days', '1 year 6 months'. Correct it.",
    );
  }

  static badBatchSize(): RetentionError {
    return new RetentionError(
      'RETENTION.BAD_BATCH_SIZE',
      'A batch has from 1 to 100000 rows. Correct batchSize, or leave it out.',
    );
  }

  static unknownEntity(entity: string): RetentionError {
    return new RetentionError(
      'RETENTION.UNKNOWN_ENTITY',
      `${entity} is no entity of this ORM. Name one that a module lists.`,
    );
  }

  static noPolicy(entity?: string): RetentionError {
    return new RetentionError(
      'RETENTION.NO_POLICY',
      `${entity ?? 'No entity'} has ${entity === undefined ? 'a' : 'no'} retention policy, so that nothing says when its rows may go. Call retention.policy(${entity ?? '…'}, { olderThan: '…' }).`,
    );
  }

  static noTenant(entity: string): RetentionError {
    return new RetentionError(
      'RETENTION.NO_TENANT',
      `The policy of ${entity} names no tenant property of one column. Name one with retention.policy(${entity}, { tenant: '…' }), or purge without a tenant.`,
    );
  }

  static notSoftDeletable(entity: string): RetentionError {
    return new RetentionError(
      'RETENTION.NOT_SOFT_DELETABLE',
      `${entity} is not soft-deletable and has no dead rows. Call softDelete.register(${entity}) first.`,
    );
  }

  static halfTable(entity: string, root: string): RetentionError {
    return new RetentionError(
      'RETENTION.HALF_TABLE',
      `${entity} shares the table of ${root}, whose rows go together. Give the policy to ${root}.`,
    );
  }

  /** A batch that is not committed could not be bounded. */
  static inTransaction(): RetentionError {
    return new RetentionError(
      'RETENTION.IN_TRANSACTION',
      'A purge commits each batch by itself. Call it with an entity manager that is in no transaction.',
    );
  }

  static noTable(entity: string): RetentionError {
    return new RetentionError(
      'RETENTION.NO_TABLE',
      `${entity} has no table with a primary key in this database. Run the migrations of its module.`,
    );
  }
}
