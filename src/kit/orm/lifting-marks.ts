import { AsyncLocalStorage } from 'node:async_hooks';

const lifting = new AsyncLocalStorage<true>();

/** Runs a statement of the layer that makes dead rows live again, which the backstop of their table must let pass. */
export function liftingMarks<T>(work: () => T): T {
  return lifting.run(true, work);
}

/** Whether the calling code is inside {@link liftingMarks}. */
export function isLiftingMarks(): boolean {
  return lifting.getStore() === true;
}
