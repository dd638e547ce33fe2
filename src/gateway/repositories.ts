import type { DataEntityManager } from '../kit/orm/index.ts';
import { ApiKeyRepository } from './api-keys/api-key.repository.ts';
import { GroupRepository } from './groups/group.repository.ts';
import { PromoCodeRepository } from './promo-codes/promo-code.repository.ts';
import { RedeemCodeRepository } from './redeem-codes/redeem-code.repository.ts';
import { UserRepository } from './users/user.repository.ts';

/** The gateway's repositories on one entity manager, and so in its transaction. */
export interface GatewayRepositories {
  readonly users: UserRepository;
  readonly groups: GroupRepository;
  readonly apiKeys: ApiKeyRepository;
  readonly redeemCodes: RedeemCodeRepository;
  readonly promoCodes: PromoCodeRepository;
}

/** Makes the repositories; cheap enough to call per request. */
export function gatewayRepositories(em: DataEntityManager): GatewayRepositories {
  return {
    users: new UserRepository(em),
    groups: new GroupRepository(em),
    apiKeys: new ApiKeyRepository(em),
    redeemCodes: new RedeemCodeRepository(em),
    promoCodes: new PromoCodeRepository(em),
  };
}
