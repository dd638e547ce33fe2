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

interface Given {
  readonly em: DataEntityManager;
  readonly options: GatewayOptions;
  readonly zone: string;
}

const MADE_BY: { readonly [R in keyof GatewayRepositories]: (given: Given) => GatewayRepositories[R] } = {
  users: ({ em, options }) => new UserRepository(em, options),
  groups: ({ em, options }) => new GroupRepository(em, (tx, id) => deleteGroupCascade(tx, id, options)),
  apiKeys: ({ em }) => new ApiKeyRepository(em),
  accounts: ({ em }) => new AccountRepository(em),
  proxies: ({ em }) => new ProxyRepository(em),
  schedulerOutbox: ({ em }) => new SchedulerOutboxRepository(em),
  settings: ({ em }) => new SettingRepository(em),
  attributeDefinitions: ({ em }) => new UserAttributeDefinitionRepository(em),
  attributeValues: ({ em }) => new UserAttributeValueRepository(em),
  subscriptions: ({ em, options }) => new UserSubscriptionRepository(em, options),
  redeemCodes: ({ em }) => new RedeemCodeRepository(em),
  promoCodes: ({ em }) => new PromoCodeRepository(em),
  usageLogs: ({ em, options }) => new UsageLogRepository(em, options),
  usageReports: ({ em, zone }) => new UsageReportRepository(em, zone),
  dashboardAggregation: ({ em, zone }) => new DashboardAggregationRepository(em, zone),
  soraAccounts: ({ em, options }) => new SoraAccountRepository(em, options),
  soraUsageStats: ({ em }) => new SoraUsageStatsRepository(em),
  soraTasks: ({ em }) => new SoraTaskRepository(em),
  soraCacheFiles: ({ em }) => new SoraCacheFileRepository(em),
  soraSlots: ({ em }) => new SoraSlotRepository(em),
};

type Name = keyof GatewayRepositories;
const NAMES = Object.keys(MADE_BY) as Name[];
/** Whose options are looked at when they are made. */
const CHECKING: readonly Name[] = ['users', 'subscriptions', 'usageLogs', 'soraAccounts'];

/** Makes each repository when it is asked for: a request needs a few, and all twenty took longer than a short statement. */
class Repositories {
  readonly #given: Given;
  readonly #made: Partial<Record<Name, unknown>> = {};

  constructor(given: Given) {
    this.#given = given;
  }

  static {
    for (const name of NAMES) {
      const get = function (this: Repositories): unknown {
        return (this.#made[name] ??= MADE_BY[name](this.#given));
      };
      Object.defineProperty(this.prototype, name, { enumerable: true, get });
    }
  }
}

/**
 * The repositories; cheap enough to call per request.
 *
 * @throws InvalidInputError VALIDATION for an unknown zone or place, or a key that is none.
 */
export function gatewayRepositories(
  em: DataEntityManager,
  options: GatewayOptions = {},
): GatewayRepositories {
  const zone = timeZoneOf(checkGiven('options', options));
  const repositories = new Repositories({ em, options, zone }) as unknown as GatewayRepositories;
  if (Object.keys(options).length > 0) for (const name of CHECKING) void repositories[name];
  return withReads(repositories, options);
}
