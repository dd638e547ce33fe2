import type { LoggingOptions, Transaction } from '@mikro-orm/core';
import type { PostgreSqlConnection } from '@mikro-orm/postgresql';

/** What goes on in one transaction: the savepoint that is open, how many statements run outside one, and who waits for them. */
interface Turns {
  open?: Promise<unknown> | undefined;
  running: number;
  waiting: (() => void)[];
}

const turns = new WeakMap<object, Turns>();

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
  const own = turnsOf(ctx);
  // Asked and begun in one step, without a promise between, in which another one could begin.
  while (own.open || own.running > 0) await (own.open ?? allDone(own));
  const result = connection.transactional(work, { ctx, loggerContext });
  own.open = result.catch(() => undefined).finally(() => (own.open = undefined));
  return result;
}

/** Runs one statement of the transaction, when no savepoint of {@link undoable} is open in it. */
export function besideSavepoints<T>(ctx: unknown, work: () => Promise<T>): Promise<T> {
  if (typeof ctx !== 'object' || ctx === null) return work();
  const own = turnsOf(ctx);
  return own.open ? afterwards(own, work) : counted(own, work);
}

async function afterwards<T>(own: Turns, work: () => Promise<T>): Promise<T> {
  while (own.open) await own.open;
  return counted(own, work);
}

/** The answer itself is handed on, without a promise around it: every statement of a transaction passes here. */
function counted<T>(own: Turns, work: () => Promise<T>): Promise<T> {
  const result = work();
  own.running += 1;
  const ended = (): void => {
    own.running -= 1;
    if (own.running === 0) for (const wake of own.waiting.splice(0)) wake();
  };
  result.then(ended, ended);
  return result;
}

function allDone(own: Turns): Promise<void> {
  return new Promise((resolve) => {
    own.waiting.push(resolve);
  });
}

function turnsOf(ctx: object): Turns {
  const known = turns.get(ctx);
  if (known) return known;
  const own: Turns = { running: 0, waiting: [] };
  turns.set(ctx, own);
  return own;
}
