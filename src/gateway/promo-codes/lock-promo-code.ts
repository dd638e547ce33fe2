import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';

const LOCK = 'select id from promo_codes where upper(code) = upper(?) for update';

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
