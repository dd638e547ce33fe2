import type { LoggingOptions, Transaction } from '@mikro-orm/core';
import type { PostgreSqlConnection } from '@mikro-orm/postgresql';

/** By transaction, the savepoint that is open in it, and the statements that run in it outside one. */
const open = new WeakMap<object, Promise<unknown>>();
const running = new WeakMap<object, Set<Promise<unknown>>>();

/**
 * Runs `work` so that it can be undone alone: in a savepoint of the transaction `ctx`, or in a transaction of its own where
 * there is none.
 *
 * Statements that the program sends meanwhile by the same transaction wait until it has ended: a rollback to the
 * savepoint would take them along, although they were answered.
 */
export async function undoable<T>(
  connection: PostgreSqlConnection,
  work: (ctx: Transaction) => Promise<T>,
  { ctx, loggerContext }: { ctx?: Transaction; loggerContext?: LoggingOptions },
): Promise<T> {
  if (!ctx) return connection.transactional(work, { loggerContext });
  const key: object = ctx;
  // Asked and begun in one step, without a promise between, in which another one could begin.
  for (let busy = busyIn(key); busy; busy = busyIn(key)) await busy;
  const result = connection.transactional(work, { ctx, loggerContext });
  open.set(
    key,
    result.catch(() => undefined).finally(() => open.delete(key)),
  );
  return result;
}

/** Runs one statement of the transaction, when no savepoint of {@link undoable} is open in it. */
export function besideSavepoints<T>(ctx: unknown, work: () => Promise<T>): Promise<T> {
  return typeof ctx === 'object' && ctx !== null ? inTurn(ctx, work) : work();
}

async function inTurn<T>(ctx: object, work: () => Promise<T>): Promise<T> {
  for (let busy = open.get(ctx); busy; busy = open.get(ctx)) await busy;
  const statements = running.get(ctx) ?? new Set();
  running.set(ctx, statements);
  const result = work();
  statements.add(result);
  return result.finally(() => statements.delete(result));
}

function busyIn(ctx: object): Promise<unknown> | undefined {
  const statements = running.get(ctx);
  return open.get(ctx) ?? (statements?.size ? Promise.allSettled(statements) : undefined);
}
