import { NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import {
  type NewPromoCodeUsage,
  type PromoCodeUsageRecord,
  promoCodeUsageRecord,
} from './promo-code-record.ts';
import { PromoCodeUsage } from './promo-code-usage.entity.ts';

// FOR SHARE, because a soft delete of the user changes no key and would pass the lock of the foreign key.
const INSERT = `insert into promo_code_usages (promo_code_id, user_id, bonus_amount)
  select ?, id, ? from users where id = ? and deleted_at is null for share
  returning *`;

const COUNT = 'update promo_codes set used_count = used_count + 1, updated_at = now() where id = ?';

/**
 * Records that a live user had the bonus; the input has been checked.
 *
 * @throws ConflictError PROMO_CODE_ALREADY_USED; NotFoundError PROMO_CODE_NOT_FOUND, USER_NOT_FOUND.
 */
export async function insertUsage(
  em: DataEntityManager,
  { promoCodeId, userId, bonusAmount }: NewPromoCodeUsage,
): Promise<PromoCodeUsageRecord> {
  const [row] = await em.execute<object[]>(INSERT, [promoCodeId, bonusAmount, userId]);
  if (!row) throw new NotFoundError('User', gatewayErrors);
  const own = em.fork({ keepTransactionContext: true });
  return promoCodeUsageRecord(own.map(PromoCodeUsage, row as never));
}

/** Adds one to the uses of a code. @throws NotFoundError PROMO_CODE_NOT_FOUND. */
export async function countUse(em: DataEntityManager, promoCodeId: string): Promise<void> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(COUNT, [promoCodeId], 'run');
  if (affectedRows === 0) throw new NotFoundError('PromoCode', gatewayErrors);
}
