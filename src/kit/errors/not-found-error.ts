import { ValidationError } from '@mikro-orm/core';
import type { DataError } from './data-error.ts';
import type { DomainErrors } from './domain-errors.ts';

/** No live row matches. `code` is the module's own (`USER_NOT_FOUND`) where its error table names the entity. */
export class NotFoundError extends ValidationError implements DataError {
  readonly code: string;
  readonly status: number = 404;
  readonly retryable = false;
  readonly entityName: string;

  constructor(entityName: string, domain?: DomainErrors) {
    const known = domain?.notFound[entityName];
    super(
      known?.message ?? `${entityName} was not found. Check the key, or whether the row has been deleted.`,
    );
    this.name = 'NotFoundError';
    this.entityName = entityName;
    this.code = known?.code ?? 'DATA.NOT_FOUND';
  }
}
