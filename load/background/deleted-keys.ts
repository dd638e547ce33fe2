import { setTimeout as sleep } from 'node:timers/promises';
import { type Caller, pick } from '../caller.ts';
import { now } from '../clock.ts';
import { deleteKey } from '../operations/keys.ts';
import { authenticate } from '../operations/request.ts';

const EVERY_MS = 100;

/**
 * Deletes keys and presents each at once, and one that was deleted long ago with it: in a short run the callers would hardly
 * get to either.
 */
export async function presentDeletedKeys(caller: Caller, until: number): Promise<void> {
  const { world, random, sightings } = caller;
  for (; now() < until; await sleep(EVERY_MS)) {
    await deleteKey(caller);
    const last = world.deadKeys.at(-1);
    for (const key of last ? [last, pick(random, world.deadKeys)] : []) {
      sightings.askForDead();
      await authenticate(caller, key);
    }
  }
}
