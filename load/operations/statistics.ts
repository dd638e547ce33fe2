import type { UsageReportRepository } from 'tombstone/gateway';
import { type Caller, type Operation, pick, repositoriesOf } from '../caller.ts';
import { now } from '../clock.ts';

const DAY = 24 * 60 * 60 * 1000;

function report<T>(
  name: string,
  weight: number,
  read: (reports: UsageReportRepository, caller: Caller) => Promise<T>,
): Operation {
  return {
    name,
    weight,
    run: async (caller) => {
      await caller.meter.time(name, [], () => read(repositoriesOf(caller).usageReports, caller));
    },
  };
}

/** Every second one asks for a user with many logs. */
const user = ({ random, world }: Caller): string =>
  pick(random, random.next() < 0.5 ? world.hotUsers : world.users);
const lastDay = (): { start: Date; end: Date } => ({ start: new Date(Date.now() - DAY), end: new Date() });

/** What a user sees first, with the number of keys that live. */
export async function lookAtUser(reports: UsageReportRepository, caller: Caller): Promise<void> {
  const [id, begun] = [user(caller), now()];
  const { totalApiKeys } = await reports.getUserDashboardStats(id);
  caller.sightings.count({ kind: 'apiKey', of: id, count: totalApiKeys, begun });
}

/** What an administrator sees first, with the numbers of rows that live. */
export async function lookAtAll(reports: UsageReportRepository, { sightings }: Caller): Promise<void> {
  const begun = now();
  const { totalUsers, totalApiKeys, totalAccounts } = await reports.getDashboardStats();
  sightings.count({ kind: 'user', of: null, count: totalUsers, begun });
  sightings.count({ kind: 'apiKey', of: null, count: totalApiKeys, begun });
  sightings.count({ kind: 'account', of: null, count: totalAccounts, begun });
}

/** What people look at while requests run. Sums of logs keep those of deleted rows, by contract; counts of rows do not. */
export const statistics: readonly Operation[] = [
  report('getUserDashboardStats', 3, lookAtUser),
  report('getUserStats', 3, (reports, caller) => reports.getUserStats(user(caller), lastDay())),
  report('getUserUsageTrendByUserId', 2, (reports, caller) =>
    reports.getUserUsageTrendByUserId(user(caller), lastDay(), 'hour'),
  ),
  report('getAccountTodayStats', 1, (reports, { random, world }) =>
    reports.getAccountTodayStats(pick(random, world.keptAccounts)),
  ),
  report('getDashboardStats', 0.5, lookAtAll),
];
