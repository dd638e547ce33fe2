import { fileURLToPath } from 'node:url';
import { defineModule } from '../kit/config/index.ts';
import { AccountGroup } from './accounts/account-group.entity.ts';
import { Account } from './accounts/account.entity.ts';
import { gatewayAdoption } from './adoption/gateway-adoption.ts';
import { ApiKey } from './api-keys/api-key.entity.ts';
import { gatewayErrors } from './errors.ts';
import { Group } from './groups/group.entity.ts';
import { SchedulerEvent } from './outbox/scheduler-event.entity.ts';
import { PromoCodeUsage } from './promo-codes/promo-code-usage.entity.ts';
import { PromoCode } from './promo-codes/promo-code.entity.ts';
import { Proxy } from './proxies/proxy.entity.ts';
import { RedeemCode } from './redeem-codes/redeem-code.entity.ts';
import { Setting } from './settings/setting.entity.ts';
import { SoraAccount } from './sora/sora-account.entity.ts';
import { SoraCacheFile } from './sora/sora-cache-file.entity.ts';
import { SoraTask } from './sora/sora-task.entity.ts';
import { SoraUsageStats } from './sora/sora-usage-stats.entity.ts';
import { UserSubscription } from './subscriptions/user-subscription.entity.ts';
import { BillingUsageEntry } from './usage/billing-usage-entry.entity.ts';
import { UsageLog } from './usage/usage-log.entity.ts';
import { UserAttributeDefinition } from './user-attributes/user-attribute-definition.entity.ts';
import { UserAttributeValue } from './user-attributes/user-attribute-value.entity.ts';
import { gatewayWaivers } from './waivers.ts';
import { UserAllowedGroup } from './users/user-allowed-group.entity.ts';
import { User } from './users/user.entity.ts';

export type {
  AccountBinding,
  AccountChange,
  AccountFilters,
  AccountRecord,
  BulkAccountChange,
  JsonChange,
  NewAccount,
} from './accounts/account-record.ts';
export type { AccountColumns, AccountStatus, AccountType } from './accounts/account-columns.ts';
export { AccountRepository } from './accounts/account.repository.ts';
export type { AntigravityScope, ExtraOptions } from './accounts/extra-changes.ts';
export type {
  SchedulableAccount,
  SelectedAccount,
  SelectionOptions,
} from './accounts/schedulable-accounts.ts';
export type {
  ApiKeyBulkChange,
  ApiKeyChange,
  ApiKeyRecord,
  ApiKeyWithRelations,
  NewApiKey,
} from './api-keys/api-key-record.ts';
export { ApiKeyRepository } from './api-keys/api-key.repository.ts';
export type { AuthGroup, AuthSnapshot, AuthUser } from './api-keys/auth-snapshot.ts';
export {
  DashboardAggregationRepository,
  type RemovedLogs,
} from './dashboard/dashboard-aggregation.repository.ts';
export type { RemovedAggregates } from './dashboard/remove-aggregates.ts';
export { gatewayAdoption } from './adoption/gateway-adoption.ts';
export { gatewayRepairs } from './adoption/gateway-repairs.ts';
export { gatewayErrors } from './errors.ts';
export type { GroupFilters } from './groups/group-filters.ts';
export type { GroupChange, GroupRecord, GroupWithAccountCount, NewGroup } from './groups/group-record.ts';
export type { ModelRouting } from './groups/group.entity.ts';
export { type GroupCascade, GroupRepository } from './groups/group.repository.ts';
export { deleteGroupCascade } from './operations/delete-group-cascade.ts';
export type { SchedulerEventType } from './outbox/enqueue-event.ts';
export type { DeadLetter, FailureOutcome } from './outbox/event-failures.ts';
export { type Platform, PLATFORMS } from './platforms.ts';
export {
  OUTBOX_START,
  type OutboxPosition,
  type SchedulerEventRecord,
} from './outbox/scheduler-event-record.ts';
export { SchedulerOutboxRepository } from './outbox/scheduler-outbox.repository.ts';
export type {
  NewProxy,
  ProxyAccountSummary,
  ProxyChange,
  ProxyFilters,
  ProxyProtocol,
  ProxyRecord,
  ProxyWithAccountCount,
} from './proxies/proxy-record.ts';
export { ProxyRepository } from './proxies/proxy.repository.ts';
export { recordUsage } from './operations/record-usage.ts';
export { recordUsages } from './operations/record-usages.ts';
export { type AppliedPromo, applyPromo } from './operations/apply-promo.ts';
export {
  type AssignedSubscription,
  type Assignment,
  assignOrExtendSubscription,
} from './operations/assign-or-extend-subscription.ts';
export { type ConsumedEvents, consumeEvents, type EventConsumer } from './operations/consume-events.ts';
export {
  type CompletedSoraTask,
  completeSoraTask,
  type SoraTaskResult,
} from './operations/complete-sora-task.ts';
export { redeem, type Redemption } from './operations/redeem.ts';
export type {
  NewPromoCode,
  NewPromoCodeUsage,
  PromoCodeChange,
  PromoCodeFilters,
  PromoCodeRecord,
  PromoCodeUsageRecord,
  PromoCodeUsageWithUser,
} from './promo-codes/promo-code-record.ts';
export { PromoCodeRepository } from './promo-codes/promo-code.repository.ts';
export { generateRedeemCode } from './redeem-codes/generate-redeem-code.ts';
export type {
  NewRedeemCode,
  RedeemCodeChange,
  RedeemCodeFilters,
  RedeemCodeRecord,
  RedeemCodeWithGroup,
  RedeemCodeWithRelations,
} from './redeem-codes/redeem-code-record.ts';
export { RedeemCodeRepository } from './redeem-codes/redeem-code.repository.ts';
export { type GatewayOptions, type GatewayRepositories, gatewayRepositories } from './repositories.ts';
export type { ReadOptions } from './replica-reads.ts';
export type { SettingRecord } from './settings/setting-record.ts';
export { SettingRepository } from './settings/setting.repository.ts';
export { HiddenToken } from './sora/hidden-token.ts';
export { publicHttpsUrl } from './sora/public-https-url.ts';
export type { Reencrypted } from './sora/reencrypt-tokens.ts';
export type { RemovedSoraFiles, RemoveSoraFile } from './sora/remove-sora-cache-files.ts';
export type { SoraAccountPatch, SoraAccountRecord, SoraTokens } from './sora/sora-account-record.ts';
export { SoraAccountRepository } from './sora/sora-account.repository.ts';
export type { NewSoraCacheFile, SoraCacheFileRecord, SoraMedia } from './sora/sora-cache-file-record.ts';
export { SoraCacheFileRepository } from './sora/sora-cache-file.repository.ts';
export type { SoraKeyOptions, SoraKeySet } from './sora/sora-keys.ts';
export type { SoraSlotLease } from './sora/sora-slots-statements.ts';
export { type SoraSlotHolder, SoraSlotRepository, type SoraSlots } from './sora/sora-slots.repository.ts';
export type {
  ClaimedSoraTask,
  NewSoraTask,
  ParkedReason,
  SoraTaskClaim,
  SoraTaskRecord,
  SoraTaskStatus,
} from './sora/sora-task-record.ts';
export { SoraTaskRepository } from './sora/sora-task.repository.ts';
export type { SoraUsageRecord } from './sora/sora-usage-record.ts';
export { SoraUsageStatsRepository } from './sora/sora-usage-stats.repository.ts';
export type { SubscriptionFilters } from './subscriptions/subscription-filters.ts';
export type {
  ActiveSubscription,
  NewSubscription,
  SubscriptionChange,
  SubscriptionRecord,
  SubscriptionStatus,
  SubscriptionTotals,
  SubscriptionUser,
  SubscriptionWindows,
  SubscriptionWithGroup,
  SubscriptionWithRelations,
  SubscriptionWithUserAndGroup,
} from './subscriptions/subscription-record.ts';
export { UserSubscriptionRepository } from './subscriptions/user-subscription.repository.ts';
export type { TimeZoneOptions } from './time-zone.ts';
export type { AccountDay, AccountSummary, AccountUsageStats } from './usage/reports/account-usage.ts';
export type { AccountWindowStats } from './usage/reports/account-window.ts';
export type { BatchTotals } from './usage/reports/batch-totals.ts';
export type { DashboardStats } from './usage/reports/dashboard-stats.ts';
export type { ModelStats } from './usage/reports/model-stats.ts';
export type { ApiKeyTrendPoint, UserTrendPoint } from './usage/reports/top-trends.ts';
export type { TrendPoint } from './usage/reports/trend.ts';
export type { DailyUsageStats, UsageStats, UserStats } from './usage/reports/usage-stats.ts';
export type { UsageRate, UsageTotals } from './usage/reports/usage-totals.ts';
export type { UserDashboardStats } from './usage/reports/user-dashboard.ts';
export type { Granularity } from './usage/reports/zone-sql.ts';
export type { ClosedUsageFilters, UsageFilters } from './usage/usage-filters.ts';
export type { UsageLogRecord } from './usage/usage-log-record.ts';
export type { UsageLogRelations, UsageLogWithRelations } from './usage/usage-log-relations.ts';
export { type UsageLogCursor, UsageLogRepository, type UsageLogSlice } from './usage/usage-log.repository.ts';
export type { UsageLogsOptions } from './usage/usage-logs-form.ts';
export type { ClosedRange, HalfOpenRange } from './usage/usage-range.ts';
export { gatewayUsagePartitions } from './usage/usage-partitions.ts';
export { UsageReportRepository } from './usage/usage-report.repository.ts';
export type {
  AttributeType,
  NewUserAttributeDefinition,
  UserAttributeDefinitionChange,
  UserAttributeDefinitionRecord,
} from './user-attributes/attribute-definition-record.ts';
export type { NewAttributeValue } from './user-attributes/upsert-values.ts';
export type {
  AttributeOption,
  AttributeValidation,
} from './user-attributes/user-attribute-definition.entity.ts';
export { UserAttributeDefinitionRepository } from './user-attributes/user-attribute-definition.repository.ts';
export {
  type UserAttributeValueRecord,
  UserAttributeValueRepository,
} from './user-attributes/user-attribute-value.repository.ts';
export type {
  BillingType,
  Charge,
  NewUsage,
  RecordedInBatch,
  RecordedUsage,
  SubscriptionUsage,
} from './usage/usage-record.ts';
export { type AllowedGroupsProof, verifyAllowedGroups } from './users/allowed-groups-verification.ts';
export type { BalanceChange, BalanceOperation } from './users/balance.ts';
export type { AllowedGroupsOptions } from './users/dual-write.ts';
export type { ListedUser, NewUser, UserChange, UserFilters, UserRecord } from './users/user-record.ts';
export { UserRepository } from './users/user.repository.ts';
export {
  Account,
  AccountGroup,
  ApiKey,
  BillingUsageEntry,
  Group,
  PromoCode,
  PromoCodeUsage,
  Proxy,
  RedeemCode,
  SchedulerEvent,
  Setting,
  SoraAccount,
  SoraCacheFile,
  SoraTask,
  SoraUsageStats,
  UsageLog,
  User,
  UserAllowedGroup,
  UserAttributeDefinition,
  UserAttributeValue,
  UserSubscription,
};

/** The gateway as the composition sees it. */
export const gateway = defineModule({
  name: 'gateway',
  migrations: fileURLToPath(new URL('../../migrations/gateway', import.meta.url)),
  entities: [
    User,
    UserAllowedGroup,
    Group,
    ApiKey,
    Proxy,
    Account,
    AccountGroup,
    UserSubscription,
    SchedulerEvent,
    RedeemCode,
    Setting,
    UserAttributeDefinition,
    UserAttributeValue,
    PromoCode,
    PromoCodeUsage,
    UsageLog,
    BillingUsageEntry,
    SoraAccount,
    SoraUsageStats,
    SoraTask,
    SoraCacheFile,
  ],
  unmappedTables: [
    'orphan_allowed_groups_audit',
    'scheduler_outbox_failures',
    'scheduler_outbox_watermarks',
    'sora_slots',
    'usage_dashboard_hourly',
    'usage_dashboard_daily',
    'usage_dashboard_hourly_users',
    'usage_dashboard_daily_users',
    'usage_dashboard_aggregation_watermark',
  ],
  errors: gatewayErrors,
  waivers: gatewayWaivers,
  adoption: gatewayAdoption,
});
