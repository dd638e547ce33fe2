import { setTimeout as sleep } from 'node:timers/promises';
import { recordUsage } from 'tombstone/gateway';
import { Random } from '../../crash/random.ts';
import { type Ground, pick } from '../caller.ts';
import { now } from '../clock.ts';
import { randomUsage } from '../operations/usage.ts';

const EVERY_MS = 50;

/**
 * Records the same request in every process at the same moment, and twice in each: one of them all may charge for it. The clock, which they share, is
 * the number of the request, and the number decides what it cost.
 */
export async function recordSharedRequests(ground: Ground, seed: number, until: number): Promise<void> {
  const { meter, answers, world, em } = ground;
  for (let tick = Math.ceil(now() / EVERY_MS); tick * EVERY_MS < until; tick = Math.ceil(now() / EVERY_MS)) {
    await sleep(Math.max(0, tick * EVERY_MS - now()));
    const random = new Random(seed + tick);
    const { id, userId } = pick(random, world.hotKeys);
    const accountId = pick(random, world.keptAccounts);
    const usage = {
      ...randomUsage(random, '1'),
      userId,
      apiKeyId: id,
      accountId,
      requestId: `shared ${tick}`,
    };
    const record = async (): Promise<void> => {
      const recorded = await meter.time('recordUsage, by all at once', [], () => recordUsage(em(), usage));
      if (recorded) answers.charged(id, recorded);
    };
    await Promise.all([record(), record()]);
  }
}
