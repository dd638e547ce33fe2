import type { EntityMetadata } from '@mikro-orm/core';
import { isSoftDeletable } from '../soft-delete/index.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/**
 * Refuses a write to a soft-deletable view, in every scope. PostgreSQL would carry it through to the table of a simple view,
 * past the entity of that table, its `updated_at` and the rows that refer to it.
 *
 * @throws SoftDeleteError that names the view.
 */
export function refuseViewWrite(meta: EntityMetadata | undefined): void {
  if (meta?.view && isSoftDeletable(meta)) throw SoftDeleteError.view(meta.className);
}
