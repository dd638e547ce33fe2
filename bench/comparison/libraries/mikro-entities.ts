import { Cascade, defineEntity, p } from '@mikro-orm/core';

/** The tables as a MikroORM project without Tombstone maps them. */

const bigint = () => p.bigint('string');
const id = () => bigint().primary();
const instant = () => p.datetime().columnType('timestamptz');
const decimal = () => p.decimal('string').columnType('numeric');
const times = () => ({
  createdAt: instant().onCreate(() => new Date()),
  updatedAt: instant()
    .onCreate(() => new Date())
    .onUpdate(() => new Date()),
  deletedAt: instant().nullable(),
});

export const User = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: id(),
    email: p.string(),
    role: p.string(),
    balance: decimal(),
    concurrency: p.integer(),
    status: p.string(),
    username: p.string(),
    notes: p.text(),
    ...times(),
  },
});

export const Group = defineEntity({
  name: 'Group',
  tableName: 'groups',
  properties: {
    id: id(),
    name: p.string(),
    description: p.text().nullable(),
    rateMultiplier: decimal(),
    isExclusive: p.boolean(),
    status: p.string(),
    platform: p.string(),
    subscriptionType: p.string(),
    dailyLimitUsd: decimal().nullable(),
    weeklyLimitUsd: decimal().nullable(),
    monthlyLimitUsd: decimal().nullable(),
    defaultValidityDays: p.integer(),
    imagePrice1k: decimal().nullable().fieldName('image_price_1k'),
    imagePrice2k: decimal().nullable().fieldName('image_price_2k'),
    imagePrice4k: decimal().nullable().fieldName('image_price_4k'),
    claudeCodeOnly: p.boolean(),
    fallbackGroup: () => p.manyToOne(Group).nullable(),
    modelRouting: p.json().nullable(),
    modelRoutingEnabled: p.boolean(),
    ...times(),
  },
});

export const ApiKey = defineEntity({
  name: 'ApiKey',
  tableName: 'api_keys',
  properties: {
    id: id(),
    user: () => p.manyToOne(User),
    key: p.string(),
    name: p.string(),
    group: () => p.manyToOne(Group).nullable(),
    status: p.string(),
    ipWhitelist: p.json().nullable(),
    ipBlacklist: p.json().nullable(),
    ...times(),
  },
});

export const Account = defineEntity({
  name: 'Account',
  tableName: 'accounts',
  properties: {
    id: id(),
    name: p.string(),
    notes: p.text().nullable(),
    platform: p.string(),
    type: p.string(),
    credentials: p.json(),
    extra: p.json(),
    proxyId: bigint().nullable(),
    concurrency: p.integer(),
    priority: p.integer(),
    rateMultiplier: decimal(),
    status: p.string(),
    errorMessage: p.text().nullable(),
    lastUsedAt: instant().nullable(),
    expiresAt: instant().nullable(),
    autoPauseOnExpired: p.boolean(),
    schedulable: p.boolean(),
    rateLimitedAt: instant().nullable(),
    rateLimitResetAt: instant().nullable(),
    overloadUntil: instant().nullable(),
    tempUnschedulableUntil: instant().nullable(),
    tempUnschedulableReason: p.text().nullable(),
    sessionWindowStart: instant().nullable(),
    sessionWindowEnd: instant().nullable(),
    sessionWindowStatus: p.string().nullable(),
    ...times(),
  },
});

export const AccountGroup = defineEntity({
  name: 'AccountGroup',
  tableName: 'account_groups',
  properties: {
    account: () => p.manyToOne(Account).primary(),
    group: () => p.manyToOne(Group).primary(),
    priority: p.integer(),
  },
});

export const UsageLog = defineEntity({
  name: 'UsageLog',
  tableName: 'usage_logs',
  properties: {
    id: id(),
    user: () => p.manyToOne(User),
    apiKey: () => p.manyToOne(ApiKey),
    account: () => p.manyToOne(Account),
    group: () => p.manyToOne(Group).nullable(),
    requestId: p.string().nullable(),
    model: p.string(),
    inputTokens: p.integer(),
    outputTokens: p.integer(),
    totalCost: decimal(),
    actualCost: decimal(),
    rateMultiplier: decimal(),
    durationMs: p.integer().nullable(),
    userAgent: p.string().nullable(),
    ipAddress: p.string().nullable(),
  },
});

export const Project = defineEntity({
  name: 'Project',
  tableName: 'projects',
  properties: {
    id: id(),
    ownerId: bigint(),
    name: p.string(),
    /** Removing a project in memory removes its tasks that are loaded. */
    tasks: () => p.oneToMany(Task).mappedBy('project').cascade(Cascade.REMOVE),
    ...times(),
  },
});

export const Task = defineEntity({
  name: 'Task',
  tableName: 'tasks',
  properties: { id: id(), project: () => p.manyToOne(Project), title: p.string(), ...times() },
});

export const ENTITIES = [User, Group, ApiKey, Account, AccountGroup, UsageLog, Project, Task];
