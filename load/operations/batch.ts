import { type NewUsage, recordUsages } from 'tombstone/gateway';
import { type Caller, newName, type Operation, pick } from '../caller.ts';
import { randomUsage } from './usage.ts';

const SIZE = 20;

/** Requests that a gateway has collected and stores together, one of them twice. */
export const batch: Operation = {
  name: 'recordUsages of 20',
  weight: 1,
  run: async (caller) => {
    const usages = Array.from({ length: SIZE - 1 }, () => usageOf(caller));
    usages.push(pick(caller.random, usages));
    const { meter, answers, em } = caller;
    const recorded = await meter.time('recordUsages of 20', [], () => recordUsages(em(), usages));
    for (const [index, one] of (recorded ?? []).entries())
      answers.charged(usages[index]?.apiKeyId ?? '', one);
  },
};

/** Of balances only: a batch tells no counters, and those of subscriptions are proven by what each charge tells. */
function usageOf({ random, world }: Caller): NewUsage {
  const { id, userId } = pick(random, random.next() < 0.5 ? world.hotKeys : world.keys);
  const accountId = pick(random, world.keptAccounts);
  return { ...randomUsage(random, '1.5'), userId, apiKeyId: id, accountId, requestId: newName('batch') };
}
