import { checkGiven } from '../kit/input/index.ts';
import type { DataEntityManager } from '../kit/orm/index.ts';
import { AccountRepository } from './accounts/account.repository.ts';
import { ApiKeyRepository } from './api-keys/api-key.repository.ts';
import { DashboardAggregationRepository } from './dashboard/dashboard-aggregation.repository.ts';
import { GroupRepository } from './groups/group.repository.ts';
import { deleteGroupCascade } from './operations/delete-group-cascade.ts';
import { SchedulerOutboxRepository } from './outbox/scheduler-outbox.repository.ts';
import { ProxyRepository } from './proxies/proxy.repository.ts';
import { SettingRepository } from './settings/setting.repository.ts';
import { SoraAccountRepository } from './sora/sora-account.repository.ts';
import { SoraCacheFileRepository } from './sora/sora-cache-file.repository.ts';
import type { SoraKeyOptions } from './sora/sora-keys.ts';
import { SoraSlotRepository } from './sora/sora-slots.repository.ts';
import { SoraTaskRepository } from './sora/sora-task.repository.ts';
import { SoraUsageStatsRepository } from './sora/sora-usage-stats.repository.ts';
import { UserSubscriptionRepository } from './subscriptions/user-subscription.repository.ts';
import { type TimeZoneOptions, timeZoneOf } from './time-zone.ts';
import { UsageLogRepository } from './usage/usage-log.repository.ts';
import type { UsageLogsOptions } from './usage/usage-logs-form.ts';
import { UsageReportRepository } from './usage/usage-report.repository.ts';
import { UserAttributeDefinitionRepository } from './user-attributes/user-attribute-definition.repository.ts';
import { UserAttributeValueRepository } from './user-attributes/user-attribute-value.repository.ts';
import type { AllowedGroupsOptions } from './users/dual-write.ts';
import { PromoCodeRepository } from './promo-codes/promo-code.repository.ts';
import { type ReadOptions, withReads } from './replica-reads.ts';
import { RedeemCodeRepository } from './redeem-codes/redeem-code.repository.ts';
import { UserRepository } from './users/user.repository.ts';

/** What an installation decides once for all of its repositories. */
export interface GatewayOptions
  extends AllowedGroupsOptions, TimeZoneOptions, UsageLogsOptions, ReadOptions, SoraKeyOptions {}

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
  readonly usageLogs: UsageLogRepository;
  readonly usageReports: UsageReportRepository;
  readonly dashboardAggregation: DashboardAggregationRepository;
  readonly soraAccounts: SoraAccountRepository;
  readonly soraUsageStats: SoraUsageStatsRepository;
  readonly soraTasks: SoraTaskRepository;
  readonly soraCacheFiles: SoraCacheFileRepository;
  readonly soraSlots: SoraSlotRepository;
}

/** By entity manager, where an installation has decided nothing: to make all twenty takes longer than a short statement. */
const made = new WeakMap<DataEntityManager, GatewayRepositories>();

/**
 * The repositories of an entity manager, made once for it where there are no options; cheap enough to call per request.
 *
 * @throws InvalidInputError VALIDATION for an unknown zone or place, or a key that is none.
 */
export function gatewayRepositories(em: DataEntityManager, options?: GatewayOptions): GatewayRepositories {
  if (options !== undefined) return makeRepositories(em, options);
  const known = made.get(em) ?? makeRepositories(em, {});
  made.set(em, known);
  return known;
}

function makeRepositories(em: DataEntityManager, options: GatewayOptions): GatewayRepositories {
  const zone = timeZoneOf(checkGiven('options', options));
  const repositories: GatewayRepositories = {
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
    usageLogs: new UsageLogRepository(em, options),
    usageReports: new UsageReportRepository(em, zone),
    dashboardAggregation: new DashboardAggregationRepository(em, zone),
    soraAccounts: new SoraAccountRepository(em, options),
    soraUsageStats: new SoraUsageStatsRepository(em),
    soraTasks: new SoraTaskRepository(em),
    soraCacheFiles: new SoraCacheFileRepository(em),
    soraSlots: new SoraSlotRepository(em),
  };
  return withReads(repositories, options);
}
