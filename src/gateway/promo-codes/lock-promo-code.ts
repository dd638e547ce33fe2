import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';

const LOCK = 'select id from promo_codes where upper(code) = upper(?) for update';
const KEEP = 'select id from promo_codes where id = ? for key share';

/**
 * Locks the row of a code until the transaction ends; null when there is none. Read what it holds by another statement:
 * this one may have waited, and computed its columns before.
 *
 * @throws InvalidInputError outside a transaction, where the lock would end with the statement.
 */
export async function lockPromoCode(em: DataEntityManager, code: string): Promise<Id | null> {
  if (!em.isInTransaction())
    throw new InvalidInputError('em', 'be in a transaction, which the lock of a row lasts for');
  const [row] = await em.execute<{ id: Id }[]>(LOCK, [code]);
  return row?.id ?? null;
}

/**
 * Keeps a code from being deleted until the transaction ends. Take it before the user, as `applyPromo` does: the foreign key
 * of a use would take it after, and two who do it either way wait for each other.
 *
 * @throws NotFoundError PROMO_CODE_NOT_FOUND.
 */
export async function keepPromoCode(em: DataEntityManager, id: Id): Promise<void> {
  const rows = await em.execute<unknown[]>(KEEP, [id]);
  if (rows.length === 0) throw new NotFoundError('PromoCode', gatewayErrors);
}
