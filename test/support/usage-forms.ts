import type { Options } from '@mikro-orm/postgresql';
import { gateway, gatewayRepositories, gatewayUsagePartitions } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { cloneTestDatabase } from './database.ts';
import { type Gateway, openGateway } from './gateway.ts';

/** What `usage_logs` may be, as the option names it. */
export const USAGE_FORMS = ['one-table', 'monthly-partitions'] as const;

export type UsageForm = (typeof USAGE_FORMS)[number];

/** The modules of an installation whose logs are divided by month. */
export const DIVIDED_MODULES = [gateway, gatewayUsagePartitions];

/** Divides the logs of a migrated database, or goes on doing so up to a file. */
export async function divideUsageLogs(url: string, to?: string): Promise<void> {
  await new Migrator({ connection: url, modules: DIVIDED_MODULES }).up(to === undefined ? {} : { to });
}

/** A gateway on a database of its own in that form; the months around now are there. */
export async function openUsageGateway(form: UsageForm, options: Partial<Options> = {}): Promise<Gateway> {
  const { url } = await cloneTestDatabase();
  if (form === 'monthly-partitions') await divideUsageLogs(url);
  const opened = await openGateway({ url, ...options });
  const { dashboardAggregation } = gatewayRepositories(opened.em());
  await dashboardAggregation.ensureUsageLogsPartitions(new Date());
  opened.statements();
  return opened;
}
