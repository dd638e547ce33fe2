import { AsyncLocalStorage } from 'node:async_hooks';

/** The capabilities beside normal code, by the name of the method that opens their scope. */
export type ScopeMode = 'skipSoftDelete' | 'withDeleted' | 'onlyDeleted';

/** The rows that reads show: `live` in normal code. */
export type VisibleRows = 'live' | 'dead' | 'all';

/** One run of `skipSoftDelete`, `withDeleted` or `onlyDeleted`; compared by identity. */
export interface DeletedScope {
  readonly mode: ScopeMode;
  /** Set when the scope's work has ended; its entity manager then refuses every call. */
  closed: boolean;
}

const VISIBLE = { skipSoftDelete: 'all', withDeleted: 'all', onlyDeleted: 'dead' } as const;

const storage = new AsyncLocalStorage<DeletedScope>();

/** The innermost scope that the calling code runs in; `undefined` in normal code, where dead rows do not exist. */
export function currentScope(): DeletedScope | undefined {
  return storage.getStore();
}

/** What reads show inside `scope`. */
export function visibleRows(scope: DeletedScope | undefined): VisibleRows {
  return scope ? VISIBLE[scope.mode] : 'live';
}

/** Whether writes inside `scope` keep to live rows and deletes only mark: everywhere but in `skipSoftDelete`. */
export function guardsWrites(scope: DeletedScope | undefined): boolean {
  return scope?.mode !== 'skipSoftDelete';
}

/** Runs `work` in a new scope and closes it when the work has ended, however it ends. */
export async function runInScope<T>(mode: ScopeMode, work: (scope: DeletedScope) => Promise<T>): Promise<T> {
  const scope: DeletedScope = { mode, closed: false };
  try {
    return await storage.run(scope, () => work(scope));
  } finally {
    scope.closed = true;
  }
}
