import { NotFoundError } from '../../kit/errors/index.ts';
import { gatewayErrors } from '../errors.ts';

/**
 * Keeps an account live until the transaction ends, as a part of the statement that gives it a row; without it there is no row
 * to insert. FOR KEY SHARE, which the foreign key takes, would let a soft delete pass.
 */
export const liveOwner = (parameter: string): string =>
  `owner as (select id from accounts where id = ${parameter}::bigint and deleted_at is null for share)`;

/** @throws NotFoundError ACCOUNT_NOT_FOUND where there is no row. */
export function ofLiveAccount<Row>(row: Row | undefined): Row {
  if (row === undefined) throw new NotFoundError('Account', gatewayErrors);
  return row;
}
