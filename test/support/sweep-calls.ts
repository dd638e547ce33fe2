import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import type { Gateway } from './gateway.ts';
import {
  amount,
  type Argument,
  clamped,
  filter,
  filters,
  flag,
  id,
  ids,
  integer,
  list,
  listOf,
  object,
  optionalId,
  SECRET,
  text,
  word,
  wordFilter,
} from './sweep-arguments.ts';
import { accountsOf, outboxOf } from './sweep-account-calls.ts';
import { promoCodesOf, redeemCodesOf } from './sweep-code-calls.ts';
import {
  insertSweepSora,
  soraAccountsOf,
  soraCacheFilesOf,
  soraSlotsOf,
  soraTasksOf,
  soraUsageStatsOf,
  type SweepSora,
} from './sweep-sora-calls.ts';
import { subscriptionsOf } from './sweep-subscription-calls.ts';
import { definitionsOf, proxiesOf, settingsOf, valuesOf } from './sweep-other-calls.ts';
import {
  dashboardAggregationOf,
  insertSweepUsage,
  usageLogsOf,
  usageReportsOf,
} from './sweep-usage-calls.ts';

/** Rows that the valid calls name. */
export interface SweepRows {
  /** The e-mail of the user, the name of the group, and the end of the secrets. */
  readonly name: string;
  readonly user: string;
  /** A user without anything. */
  readonly other: string;
  readonly subscription: string;
  readonly group: string;
  readonly apiKey: string;
  readonly proxy: string;
  readonly definition: string;
  readonly account: string;
  readonly redeemCode: string;
  readonly redeemText: string;
  readonly promoCode: string;
  readonly promoText: string;
  readonly usageLog: string;
  readonly sora: SweepSora;
}

let inserted = 0;

/** Rows that hold {@link SECRET}, of a person of their own. */
export async function insertSweepRows({ em }: Gateway): Promise<SweepRows> {
  const {
    users,
    groups,
    apiKeys,
    proxies,
    attributeDefinitions,
    accounts,
    redeemCodes,
    promoCodes,
    subscriptions,
  } = gatewayRepositories(em());
  const name = `sweep ${(inserted += 1)}`;
  const group = await groups.create({ name });
  const user = await users.create({ email: name, passwordHash: `${SECRET} of ${name}`, role: 'admin' });
  const other = await users.create({ email: `other ${name}`, passwordHash: `${SECRET} of ${name}` });
  const expiresAt = new Date(Date.now() + 24 * 60 * 60 * 1000);
  const subscription = await subscriptions.create({ userId: user.id, groupId: group.id, expiresAt });
  const key = await apiKeys.create({ userId: user.id, groupId: group.id, key: `${SECRET} of ${name}`, name });
  const password = `${SECRET} of ${name}`;
  const proxy = await proxies.create({ name, protocol: 'http', host: 'host', port: 80, password });
  const definition = await attributeDefinitions.create({ key: name, name, type: 'text' });
  const redeemText = `${SECRET} ${inserted}`;
  const promoText = `PROMO ${inserted}`;
  const credentials = { token: `${SECRET} of ${name}` };
  const account = await accounts.create({ name, platform: 'openai', type: 'oauth', credentials });
  const redeemCode = await redeemCodes.create({ code: redeemText, value: '1' });
  const promoCode = await promoCodes.create({ code: promoText });
  const owners = { user: user.id, apiKey: key.id, group: group.id, account: account.id };
  const usageLog = await insertSweepUsage(em(), owners);
  return {
    usageLog,
    sora: await insertSweepSora(em(), { name, user: user.id, account: account.id }),
    name,
    redeemText,
    promoText,
    user: user.id,
    other: other.id,
    subscription: subscription.id,
    group: group.id,
    apiKey: key.id,
    proxy: proxy.id,
    definition: definition.id,
    redeemCode: redeemCode.id,
    promoCode: promoCode.id,
    account: account.id,
  };
}

/** The arguments of every method of every repository; a method without an entry does not compile. */
export type SweepCalls = {
  readonly [R in keyof GatewayRepositories]: {
    readonly [M in keyof GatewayRepositories[R]]: readonly Argument[];
  };
};

/** Methods whose answer is the secret itself, with the reason. */
export const REVEALING: Readonly<Record<string, string>> = {
  'apiKeys.listKeysByUserId': 'the values are what a cache is to drop',
  'apiKeys.listKeysByGroupId': 'the values are what a cache is to drop',
};

/** Methods that lock for the rest of a transaction, and so want one. */
export const IN_TRANSACTION: ReadonlySet<string> = new Set([
  'promoCodes.getByCodeForUpdate',
  'promoCodes.findByCodeForUpdate',
]);

const page = clamped({ page: 1, pageSize: 50 });
const status = text('active', { max: 20, filled: true });

const USER = {
  passwordHash: text(`${SECRET} hash`, { max: 255, filled: true }),
  username: text('name', { max: 100 }),
  notes: text('notes'),
  role: text('user', { max: 20, filled: true }),
  status,
  concurrency: integer(3),
};

const usersOf = (rows: SweepRows): SweepCalls['users'] => ({
  create: [
    object({
      ...USER,
      email: text(`new ${rows.name}`, { max: 255, filled: true }),
      balance: amount('1'),
      allowedGroups: ids([rows.group], { nullable: true }),
    }),
  ],
  getById: [id(rows.user)],
  findById: [id(rows.user)],
  getByEmail: [text(rows.name)],
  findByEmail: [text(rows.name)],
  getFirstAdmin: [],
  update: [object({ id: id(rows.user), ...USER, email: text(rows.name, { max: 255, filled: true }) })],
  list: [page],
  listWithFilters: [page, filters({ status: filter('active'), role: filter('user'), search: filter('e') })],
  updateBalance: [id(rows.user), amount('1')],
  deductBalance: [id(rows.user), amount('1')],
  setBalance: [id(rows.user), word('add'), amount('1')],
  updateConcurrency: [id(rows.user), integer(1)],
  existsByEmail: [text(rows.name)],
  removeGroupFromAllowedGroups: [id(rows.group)],
  delete: [id(rows.user)],
});

const price = amount('1.5', { nullable: true, decimals: 8 });
const GROUP = {
  description: text('text', { nullable: true }),
  rateMultiplier: amount('1.5', { decimals: 4 }),
  isExclusive: flag(true),
  status,
  platform: word('openai'),
  subscriptionType: text('standard', { max: 20, filled: true }),
  dailyLimitUsd: price,
  weeklyLimitUsd: price,
  monthlyLimitUsd: price,
  imagePrice1k: price,
  imagePrice2k: price,
  imagePrice4k: price,
  defaultValidityDays: integer(3),
  claudeCodeOnly: flag(false),
  modelRoutingEnabled: flag(false),
  modelRouting: list({ 'a*': ['1'] }, [
    5,
    'a',
    [],
    { 'a*': '1' },
    { 'a*': ['x'] },
    { 'a\0': ['1'] },
    { 'a*': [1.5] },
  ]),
};

const groupsOf = (rows: SweepRows): SweepCalls['groups'] => ({
  create: [
    object({
      ...GROUP,
      name: text(`new ${rows.name}`, { max: 100, filled: true }),
      fallbackGroupId: optionalId(rows.group),
    }),
  ],
  getById: [id(rows.group)],
  getByIdLite: [id(rows.group)],
  findById: [id(rows.group)],
  update: [object({ id: id(rows.group), ...GROUP, name: text(rows.name, { max: 100, filled: true }) })],
  list: [page],
  listWithFilters: [
    page,
    filters({ platform: wordFilter('openai'), status: filter('active'), search: filter('i') }),
  ],
  listActive: [],
  listActiveByPlatform: [word('openai')],
  existsByName: [text(rows.name)],
  getAccountCount: [id(rows.group)],
  deleteAccountGroupsByGroupId: [id(rows.group)],
  deleteCascade: [id(rows.group)],
  delete: [id(rows.group)],
});

const addresses = list(
  ['10.0.0.0/8'],
  ['10.0.0.1', 5, {}, ['localhost'], ['10.0.0.0/33'], [10], [null], ['::1\0']],
);
const KEY = { name: text('name', { max: 100 }), status, ipWhitelist: addresses, ipBlacklist: addresses };
const valueOf = (rows: SweepRows) => text(`${SECRET} of ${rows.name}`);

const apiKeysOf = (rows: SweepRows): SweepCalls['apiKeys'] => ({
  create: [
    object({
      ...KEY,
      userId: id(rows.user),
      groupId: optionalId(rows.group),
      key: text(`${SECRET} new of ${rows.name}`, { max: 128, filled: true }),
    }),
  ],
  getById: [id(rows.apiKey)],
  findById: [id(rows.apiKey)],
  getByIds: [ids([rows.apiKey])],
  getByKey: [valueOf(rows)],
  findByKey: [valueOf(rows)],
  getKeyAndOwnerId: [id(rows.apiKey)],
  findKeyAndOwnerId: [id(rows.apiKey)],
  getByKeyForAuth: [valueOf(rows)],
  findByKeyForAuth: [valueOf(rows)],
  update: [object({ id: id(rows.apiKey), ...KEY, groupId: optionalId(rows.group) })],
  updateMany: [listOf(object({ id: id(rows.apiKey), ...KEY }))],
  listByUserId: [id(rows.user), page],
  listByGroupId: [id(rows.group), page],
  searchApiKeys: [optionalId(rows.user), filter('name'), clamped(10)],
  verifyOwnership: [id(rows.user), ids([rows.apiKey])],
  countByUserId: [id(rows.user)],
  countByGroupId: [id(rows.group)],
  existsByKey: [valueOf(rows)],
  listKeysByUserId: [id(rows.user)],
  listKeysByGroupId: [id(rows.group)],
  clearGroupIdByGroupId: [id(rows.group)],
  delete: [id(rows.apiKey)],
});

/** In each repository, what deletes comes last, and a deleted account gets nothing new. */
export const sweepCalls = (rows: SweepRows): SweepCalls => ({
  soraAccounts: soraAccountsOf(rows),
  soraUsageStats: soraUsageStatsOf(rows),
  soraTasks: soraTasksOf(rows),
  soraCacheFiles: soraCacheFilesOf(rows),
  soraSlots: soraSlotsOf(rows),
  accounts: accountsOf(rows),
  schedulerOutbox: outboxOf(),
  apiKeys: apiKeysOf(rows),
  attributeValues: valuesOf(rows),
  attributeDefinitions: definitionsOf(rows),
  promoCodes: promoCodesOf(rows),
  proxies: proxiesOf(rows),
  redeemCodes: redeemCodesOf(rows),
  settings: settingsOf(),
  subscriptions: subscriptionsOf(rows),
  usageLogs: usageLogsOf(rows),
  usageReports: usageReportsOf(rows),
  dashboardAggregation: dashboardAggregationOf(),
  users: usersOf(rows),
  groups: groupsOf(rows),
});
