import type { UsageReportRepository } from 'tombstone/gateway';
import { type Caller, type Operation, pick, repositoriesOf } from '../caller.ts';

const DAY = 24 * 60 * 60 * 1000;

function report(
  name: string,
  weight: number,
  read: (reports: UsageReportRepository, caller: Caller) => Promise<unknown>,
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

/** What people look at while requests run. */
export const statistics: readonly Operation[] = [
  report('getUserDashboardStats', 3, (reports, caller) => reports.getUserDashboardStats(user(caller))),
  report('getUserStats', 3, (reports, caller) => reports.getUserStats(user(caller), lastDay())),
  report('getUserUsageTrendByUserId', 2, (reports, caller) =>
    reports.getUserUsageTrendByUserId(user(caller), lastDay(), 'hour'),
  ),
  report('getAccountTodayStats', 1, (reports, { random, world }) =>
    reports.getAccountTodayStats(pick(random, world.keptAccounts)),
  ),
  report('getDashboardStats', 0.5, (reports) => reports.getDashboardStats()),
];
