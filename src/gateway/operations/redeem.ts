import type { Amount, Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { wholeRequests } from '../redeem-codes/redeem-code-input.ts';
import type { RedeemCodeRecord } from '../redeem-codes/redeem-code-record.ts';
import { useRedeemCode } from '../redeem-codes/use-redeem-code.ts';
import { UserRepository } from '../users/user.repository.ts';
import {
  type AssignedSubscription,
  assignOrExtendSubscription,
  DEFAULT_DAYS,
  MOST_DAYS,
} from './assign-or-extend-subscription.ts';

/** What a user has got for a code. */
export type Redemption = { readonly codeId: Id } & (
  | { readonly type: 'balance'; readonly amount: Amount }
  | { readonly type: 'concurrency'; readonly requests: number }
  | {
      readonly type: 'subscription';
      readonly days: number;
      readonly subscription: AssignedSubscription;
      /** False: the days were added to one that was there. */
      readonly created: boolean;
    }
);

/**
 * Uses a code and gives the user what it is worth, in one transaction: whatever fails leaves the code unused.
 *
 * @throws NotFoundError REDEEM_CODE_NOT_FOUND, USER_NOT_FOUND, GROUP_NOT_FOUND; RuleError REDEEM_CODE_USED,
 *   GROUP_NOT_SUBSCRIPTION_TYPE; InvalidInputError VALIDATION, also for a stored code that cannot be redeemed.
 */
export async function redeem(em: DataEntityManager, userId: Id, code: string): Promise<Redemption> {
  const user = checkId('userId', userId);
  const text = checkText('code', code, { filled: true });
  return retryTransaction(em, async (tx) => give(tx, user, await useRedeemCode(tx, { code: text }, user)));
}

async function give(em: DataEntityManager, userId: Id, code: RedeemCodeRecord): Promise<Redemption> {
  const { id: codeId, type, value } = code;
  if (type === 'balance') {
    await new UserRepository(em).updateBalance(userId, value);
    return { codeId, type, amount: value };
  }
  if (type === 'concurrency') {
    const requests = wholeRequests(value);
    await new UserRepository(em).updateConcurrency(userId, requests);
    return { codeId, type, requests };
  }
  if (type !== 'subscription')
    throw new InvalidInputError('type', 'be balance, concurrency or subscription to be redeemed');
  if (code.groupId === null) throw new NotFoundError('Group', gatewayErrors);
  const days = code.validityDays > 0 ? Math.min(code.validityDays, MOST_DAYS) : DEFAULT_DAYS;
  const given = await assignOrExtendSubscription(em, { userId, groupId: code.groupId, days });
  return { codeId, type, days, ...given };
}
