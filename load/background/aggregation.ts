import { setTimeout as sleep } from 'node:timers/promises';
import { type Ground, repositoriesOf } from '../caller.ts';
import { now } from '../clock.ts';

/** Adds up the new logs again and again, in every process, as instances of a service do that know nothing of each other. */
export async function aggregate(ground: Ground, everyMs: number, until: number): Promise<void> {
  for (;;) {
    await sleep(Math.max(0, Math.min(everyMs, until - now())));
    if (now() >= until) return;
    await ground.meter.time('aggregateNewLogs', [], () =>
      repositoriesOf(ground).dashboardAggregation.aggregateNewLogs(),
    );
  }
}
