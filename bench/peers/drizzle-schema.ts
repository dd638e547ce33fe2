import { relations } from 'drizzle-orm';
import {
  bigint,
  boolean,
  integer,
  jsonb,
  numeric,
  pgTable,
  primaryKey,
  text,
  timestamp,
  varchar,
} from 'drizzle-orm/pg-core';

const id = () => bigint({ mode: 'bigint' });
const instant = () => timestamp({ withTimezone: true });
const times = () => ({
  createdAt: instant().notNull().defaultNow(),
  updatedAt: instant().notNull().defaultNow(),
  deletedAt: instant(),
});
const key = () => ({ id: bigint({ mode: 'bigint' }).primaryKey().generatedAlwaysAsIdentity() });

export const users = pgTable('users', {
  ...key(),
  email: varchar({ length: 255 }).notNull(),
  role: varchar({ length: 20 }).notNull(),
  balance: numeric({ precision: 22, scale: 10 }).notNull(),
  concurrency: integer().notNull(),
  status: varchar({ length: 20 }).notNull(),
  username: varchar({ length: 100 }).notNull(),
  notes: text().notNull(),
  ...times(),
});

export const groups = pgTable('groups', {
  ...key(),
  name: varchar({ length: 100 }).notNull(),
  description: text(),
  rateMultiplier: numeric().notNull(),
  isExclusive: boolean().notNull(),
  status: varchar({ length: 20 }).notNull(),
  platform: varchar({ length: 50 }).notNull(),
  subscriptionType: varchar({ length: 20 }).notNull(),
  dailyLimitUsd: numeric(),
  weeklyLimitUsd: numeric(),
  monthlyLimitUsd: numeric(),
  defaultValidityDays: integer().notNull(),
  imagePrice1k: numeric('image_price_1k'),
  imagePrice2k: numeric('image_price_2k'),
  imagePrice4k: numeric('image_price_4k'),
  claudeCodeOnly: boolean().notNull(),
  fallbackGroupId: id(),
  modelRouting: jsonb(),
  modelRoutingEnabled: boolean().notNull(),
  ...times(),
});

export const apiKeys = pgTable('api_keys', {
  ...key(),
  userId: id().notNull(),
  key: varchar({ length: 128 }).notNull(),
  name: varchar({ length: 100 }).notNull(),
  groupId: id(),
  status: varchar({ length: 20 }).notNull(),
  ipWhitelist: jsonb(),
  ipBlacklist: jsonb(),
  ...times(),
});

export const accounts = pgTable('accounts', {
  ...key(),
  name: varchar({ length: 100 }).notNull(),
  notes: text(),
  platform: varchar({ length: 50 }).notNull(),
  type: varchar({ length: 20 }).notNull(),
  credentials: jsonb().notNull(),
  extra: jsonb().notNull(),
  proxyId: id(),
  concurrency: integer().notNull(),
  priority: integer().notNull(),
  rateMultiplier: numeric().notNull(),
  status: varchar({ length: 20 }).notNull(),
  errorMessage: text(),
  lastUsedAt: instant(),
  expiresAt: instant(),
  autoPauseOnExpired: boolean().notNull(),
  schedulable: boolean().notNull(),
  rateLimitedAt: instant(),
  rateLimitResetAt: instant(),
  overloadUntil: instant(),
  tempUnschedulableUntil: instant(),
  tempUnschedulableReason: text(),
  sessionWindowStart: instant(),
  sessionWindowEnd: instant(),
  sessionWindowStatus: varchar({ length: 20 }),
  ...times(),
});

export const accountGroups = pgTable(
  'account_groups',
  { accountId: id().notNull(), groupId: id().notNull(), priority: integer().notNull() },
  (table) => [primaryKey({ columns: [table.accountId, table.groupId] })],
);

export const usageLogs = pgTable('usage_logs', {
  ...key(),
  userId: id().notNull(),
  apiKeyId: id().notNull(),
  accountId: id().notNull(),
  groupId: id(),
  requestId: varchar({ length: 64 }),
  model: varchar({ length: 100 }).notNull(),
  inputTokens: integer().notNull(),
  outputTokens: integer().notNull(),
  totalCost: numeric().notNull(),
  actualCost: numeric().notNull(),
  rateMultiplier: numeric().notNull(),
  durationMs: integer(),
  userAgent: varchar({ length: 512 }),
  ipAddress: varchar({ length: 45 }),
});

export const projects = pgTable('projects', {
  ...key(),
  ownerId: id().notNull(),
  name: varchar({ length: 100 }).notNull(),
  ...times(),
});

export const tasks = pgTable('tasks', {
  ...key(),
  projectId: id().notNull(),
  title: varchar({ length: 100 }).notNull(),
  ...times(),
});

export const apiKeyRelations = relations(apiKeys, ({ one }) => ({
  user: one(users, { fields: [apiKeys.userId], references: [users.id] }),
  group: one(groups, { fields: [apiKeys.groupId], references: [groups.id] }),
}));
