import { AsyncLocalStorage } from 'node:async_hooks';

/** One run of `skipSoftDelete`; compared by identity. */
export interface SkipScope {
  /** Set when the scope's work has ended; its entity manager then refuses every call. */
  closed: boolean;
}

const storage = new AsyncLocalStorage<SkipScope>();

/** The scope that the calling code runs in; `undefined` in normal code, where dead rows do not exist. */
export function currentScope(): SkipScope | undefined {
  return storage.getStore();
}

/** Runs `work` in a new scope and closes it when the work has ended, however it ends. */
export async function runInScope<T>(work: (scope: SkipScope) => Promise<T>): Promise<T> {
  const scope: SkipScope = { closed: false };
  try {
    return await storage.run(scope, () => work(scope));
  } finally {
    scope.closed = true;
  }
}
