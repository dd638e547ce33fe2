import type { DataEntityManager } from '../kit/orm/index.ts';
import { AccountRepository } from './accounts/account.repository.ts';
import { ApiKeyRepository } from './api-keys/api-key.repository.ts';
import { GroupRepository } from './groups/group.repository.ts';
import { deleteGroupCascade } from './operations/delete-group-cascade.ts';
import { SchedulerOutboxRepository } from './outbox/scheduler-outbox.repository.ts';
import { ProxyRepository } from './proxies/proxy.repository.ts';
import { SettingRepository } from './settings/setting.repository.ts';
import { UserSubscriptionRepository } from './subscriptions/user-subscription.repository.ts';
import type { TimeZoneOptions } from './time-zone.ts';
import { UserAttributeDefinitionRepository } from './user-attributes/user-attribute-definition.repository.ts';
import { UserAttributeValueRepository } from './user-attributes/user-attribute-value.repository.ts';
import type { AllowedGroupsOptions } from './users/dual-write.ts';
import { PromoCodeRepository } from './promo-codes/promo-code.repository.ts';
import { RedeemCodeRepository } from './redeem-codes/redeem-code.repository.ts';
import { UserRepository } from './users/user.repository.ts';

/** What an installation decides once for all of its repositories. */
export interface GatewayOptions extends AllowedGroupsOptions, TimeZoneOptions {}

/** The gateway's repositories on one entity manager, and so in its transaction. */
export interface GatewayRepositories {
  readonly users: UserRepository;
  readonly groups: GroupRepository;
  readonly apiKeys: ApiKeyRepository;
  readonly accounts: AccountRepository;
  readonly proxies: ProxyRepository;
  readonly schedulerOutbox: SchedulerOutboxRepository;
  readonly settings: SettingRepository;
  readonly attributeDefinitions: UserAttributeDefinitionRepository;
  readonly attributeValues: UserAttributeValueRepository;
  readonly subscriptions: UserSubscriptionRepository;
  readonly redeemCodes: RedeemCodeRepository;
  readonly promoCodes: PromoCodeRepository;
}

/** Makes the repositories; cheap enough to call per request. */
export function gatewayRepositories(
  em: DataEntityManager,
  options: GatewayOptions = {},
): GatewayRepositories {
  return {
    users: new UserRepository(em, options),
    groups: new GroupRepository(em, (tx, id) => deleteGroupCascade(tx, id, options)),
    apiKeys: new ApiKeyRepository(em),
    accounts: new AccountRepository(em),
    proxies: new ProxyRepository(em),
    schedulerOutbox: new SchedulerOutboxRepository(em),
    settings: new SettingRepository(em),
    attributeDefinitions: new UserAttributeDefinitionRepository(em),
    attributeValues: new UserAttributeValueRepository(em),
    subscriptions: new UserSubscriptionRepository(em, options),
    redeemCodes: new RedeemCodeRepository(em),
    promoCodes: new PromoCodeRepository(em),
  };
}
