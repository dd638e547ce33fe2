import type { DataEntityManager } from 'tombstone';
import {
  type GatewayRepositories,
  gatewayRepositories,
  generateRedeemCode,
  type PromoCodeRecord,
  type RedeemCodeRecord,
} from 'tombstone/gateway';

type Repositories = GatewayRepositories;
type NewCode = Parameters<Repositories['redeemCodes']['create']>[0];
type NewPromo = Parameters<Repositories['promoCodes']['create']>[0];

let counter = 0;

export async function mustCreateRedeemCode(
  em: DataEntityManager,
  values: Partial<NewCode> = {},
): Promise<RedeemCodeRecord> {
  return gatewayRepositories(em).redeemCodes.create({ code: generateRedeemCode(), value: '1', ...values });
}

export async function mustCreatePromoCode(
  em: DataEntityManager,
  values: Partial<NewPromo> = {},
): Promise<PromoCodeRecord> {
  const code = `PROMO${(counter += 1)}`;
  return gatewayRepositories(em).promoCodes.create({ code, bonusAmount: '1', ...values });
}

/** The code with which an attempt was refused, or "done". */
export const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
