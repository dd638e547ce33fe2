import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError, RuleError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { gatewayRules } from '../rules.ts';
import { type RedeemCodeRecord, redeemCodeRecord } from './redeem-code-record.ts';
import { RedeemCode } from './redeem-code.entity.ts';

/** By which of its two keys a code is looked for. */
export type RedeemCodeKey = { readonly id: Id } | { readonly code: string };

// Of n calls at once, one finds the code unused: the others wait for its row, and look at the condition again.
const use = (
  column: 'id' | 'code',
): string => `update redeem_codes c set status = 'used', used_by = u.id, used_at = now()
  from users u
  where c.${column} = ? and c.status = 'unused' and u.id = ? and u.deleted_at is null
  returning c.*`;
const why = (column: 'id' | 'code'): string => `select c.status,
    exists (select from users u where u.id = ? and u.deleted_at is null) as user_lives
  from redeem_codes c where c.${column} = ?`;
const USE = { id: use('id'), code: use('code') } as const;
const WHY = { id: why('id'), code: why('code') } as const;

/**
 * Marks an unused code as used by a live user, in one conditional update, and answers it as it is stored then.
 *
 * @throws NotFoundError REDEEM_CODE_NOT_FOUND, USER_NOT_FOUND; RuleError REDEEM_CODE_USED, also for one that has expired.
 */
export async function useRedeemCode(
  em: DataEntityManager,
  key: RedeemCodeKey,
  userId: Id,
): Promise<RedeemCodeRecord> {
  const [column, value] = 'id' in key ? (['id', key.id] as const) : (['code', key.code] as const);
  const [used] = await em.execute<object[]>(USE[column], [value, userId]);
  if (used) return redeemCodeRecord(em.fork({ keepTransactionContext: true }).map(RedeemCode, used as never));
  const [found] = await em.execute<{ status: string; user_lives: boolean }[]>(WHY[column], [userId, value]);
  if (!found) throw new NotFoundError('RedeemCode', gatewayErrors);
  if (found.status === 'unused' && !found.user_lives) throw new NotFoundError('User', gatewayErrors);
  throw new RuleError(gatewayRules.REDEEM_CODE_USED);
}
