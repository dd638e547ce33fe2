import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import { type StoredInstant, storedInstant } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import type { Charge } from './usage-record.ts';

/** A log and its line of the ledger as a statement gives them. */
export interface StoredUsage {
  readonly id: Id;
  readonly created_at: StoredInstant;
  readonly applied: boolean | null;
  readonly amount: string | null;
}

/**
 * The row as a caller sees it.
 *
 * @throws NotFoundError USAGE_LOG_NOT_FOUND: the log went between two statements, or the transaction does not see what
 *   others commit (it is not READ COMMITTED).
 */
export function storedUsage(row: StoredUsage | undefined): {
  id: Id;
  createdAt: Date;
  charge: Charge | null;
} {
  if (!row) throw new NotFoundError('UsageLog', gatewayErrors);
  const { id, amount, applied } = row;
  const charge = amount === null ? null : { amount, applied: applied === true };
  return { id, createdAt: storedInstant(row.created_at), charge };
}
