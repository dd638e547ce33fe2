import { setTimeout as sleep } from 'node:timers/promises';
import { gatewayRepositories } from 'tombstone/gateway';
import type { Caller, Operation } from '../caller.ts';

class TakenBack extends Error {}

/** Commits after others that have begun later, so that its event has a smaller id than those that are read already. */
async function late(caller: Caller): Promise<void> {
  const { meter, em, random } = caller;
  await meter.time('enqueue, committed late', [], () =>
    em().transactional(async (tx) => {
      await gatewayRepositories(tx).schedulerOutbox.enqueue('full_rebuild');
      await sleep(random.below(30));
    }),
  );
}

/** Leaves a gap in the ids, and must be heard of by nobody. */
async function takenBack(caller: Caller): Promise<void> {
  const { meter, em } = caller;
  await meter.time('enqueue, taken back', [], async () => {
    const work = em().transactional(async (tx) => {
      await gatewayRepositories(tx).schedulerOutbox.enqueue('full_rebuild', null, null, { takenBack: true });
      throw new TakenBack('taken back');
    });
    await work.catch((error: unknown) => {
      if (!(error instanceof TakenBack)) throw error;
    });
  });
}

/** Events beside those that the changes of accounts and groups write. */
export const events: readonly Operation[] = [
  {
    name: 'events',
    weight: 1,
    run: (caller) => (caller.random.next() < 0.8 ? late(caller) : takenBack(caller)),
  },
];
