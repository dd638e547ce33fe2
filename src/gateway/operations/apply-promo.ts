import type { Amount, Id } from '../../kit/columns/index.ts';
import { type DomainError, RuleError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { lockPromoCode } from '../promo-codes/lock-promo-code.ts';
import type { PromoCodeUsageRecord } from '../promo-codes/promo-code-record.ts';
import { countUse, insertUsage } from '../promo-codes/promo-code-usage.ts';
import { gatewayRules } from '../rules.ts';
import { UserRepository } from '../users/user.repository.ts';

/** What a user has got for a promo code. */
export interface AppliedPromo {
  readonly bonusAmount: Amount;
  readonly usage: PromoCodeUsageRecord;
}

interface State {
  readonly status: string;
  readonly expired: boolean;
  readonly spent: boolean;
  readonly bonus_amount: Amount;
  readonly had: boolean;
}

// Said before the constraint says it, because that would abort the transaction of the caller.
const ALREADY_USED = gatewayErrors.constraints['promo_code_usages_promo_code_id_user_id_key'] as DomainError;

// The clock as it is once the row is locked: now() is the beginning of the transaction, which may have waited since.
const STATE = `select status, coalesce(expires_at <= clock_timestamp(), false) as expired,
    max_uses > 0 and used_count >= max_uses as spent, bonus_amount,
    exists (select from promo_code_usages u where u.promo_code_id = c.id and u.user_id = ?) as had
  from promo_codes c where id = ?`;

/**
 * Gives a user the bonus of a code, once, in one transaction. The row of the code is locked first, so that those who want
 * the last use come one after the other.
 *
 * @throws RuleError PROMO_CODE_INVALID, PROMO_CODE_DISABLED, PROMO_CODE_EXPIRED, PROMO_CODE_MAX_USED, PROMO_CODE_ALREADY_USED;
 *   NotFoundError USER_NOT_FOUND; InvalidInputError VALIDATION.
 */
export async function applyPromo(em: DataEntityManager, userId: Id, code: string): Promise<AppliedPromo> {
  const user = checkId('userId', userId);
  const text = checkText('code', code, { filled: true });
  return retryTransaction(em, async (tx) => {
    const promoCodeId = await lockPromoCode(tx, text);
    if (promoCodeId === null) throw new RuleError(gatewayRules.PROMO_CODE_INVALID);
    const bonusAmount = await bonusFor(tx, promoCodeId, user);
    await new UserRepository(tx).updateBalance(user, bonusAmount);
    const usage = await insertUsage(tx, { promoCodeId, userId: user, bonusAmount });
    await countUse(tx, promoCodeId);
    return { bonusAmount, usage };
  });
}

async function bonusFor(em: DataEntityManager, promoCodeId: Id, userId: Id): Promise<Amount> {
  const [state] = await em.execute<State[]>(STATE, [userId, promoCodeId]);
  if (!state) throw new RuleError(gatewayRules.PROMO_CODE_INVALID);
  if (state.status !== 'active') throw new RuleError(gatewayRules.PROMO_CODE_DISABLED);
  if (state.expired) throw new RuleError(gatewayRules.PROMO_CODE_EXPIRED);
  if (state.spent) throw new RuleError(gatewayRules.PROMO_CODE_MAX_USED);
  if (state.had) throw new RuleError(ALREADY_USED);
  return state.bonus_amount;
}
