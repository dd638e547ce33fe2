import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, repositoriesOf } from '../caller.ts';
import { now } from '../clock.ts';
import { lookAtAll } from '../operations/statistics.ts';

const EVERY_MS = 1000;

/** Somebody keeps the dashboard open: in a short run the callers would hardly get to it. */
export async function watchDashboard(caller: Caller, until: number): Promise<void> {
  for (; now() < until; await sleep(EVERY_MS))
    await caller.meter.time('getDashboardStats', [], () =>
      lookAtAll(repositoriesOf(caller).usageReports, caller),
    );
}
