import type { LoggingOptions } from '@mikro-orm/core';
import { type ArrayColumn, keyOrder } from './array-column.ts';
import { arrayStatement } from './array-statement.ts';
import { arrayUpdate, type SetColumn } from './array-update.ts';
import type { DataConnection } from './data-connection.ts';
import type { DataEntityManager } from './data-entity-manager.ts';
import { type LockedAnswer, lockedUpdate, type LockedUpdate } from './locked-update.ts';
import { summed } from './quick-update.ts';

interface ManyUpdate extends LockedUpdate {
  /** Whether the text is the same for other calls. */
  readonly isPrepared: boolean;
}

const DEADLOCK = '40P01';
/** A row is missing, or the database cannot read a value; and a wait in a circle. Nothing was written then. */
const AGAIN: ReadonlySet<unknown> = new Set(['22P02', DEADLOCK]);
/** Each wait in a circle costs the deadlock_timeout, a second, and lets the others go on. */
const ATTEMPTS = 10;

/**
 * Sends the update by the statement that locks first. Where it is all or nothing and stands alone, the shorter one of a flush comes
 * before it, which takes a third less: it can only say that a row is missing by failing, which would end a transaction, and locks
 * the rows in the order of the arrays, which a small table may not keep to.
 */
export async function sendMany(em: DataEntityManager, update: ManyUpdate): Promise<LockedAnswer> {
  if (update.isWhole && update.isPrepared && !em.isInTransaction()) {
    const answer = await atOnce(em, update).catch((error: unknown) => {
      if (!AGAIN.has(stateOf(error))) throw error;
      return undefined;
    });
    if (answer) return answer;
  }
  return lockedOnce(em, update, em.isInTransaction() ? 1 : ATTEMPTS);
}

const stateOf = (error: unknown): unknown => (error as { sqlState?: unknown }).sqlState;

/** Two that lock first never wait in a circle, but one of them and a shorter one may; a transaction is run again by its owner. */
async function lockedOnce(
  em: DataEntityManager,
  update: ManyUpdate,
  attempts: number,
): Promise<LockedAnswer> {
  try {
    return await sendText(em, lockedUpdate(update, quoteOf(em)), update.isPrepared);
  } catch (error) {
    if (attempts === 1 || stateOf(error) !== DEADLOCK) throw error;
    return lockedOnce(em, update, attempts - 1);
  }
}

function atOnce(em: DataEntityManager, update: ManyUpdate): Promise<LockedAnswer> {
  const { text, values } = arrayUpdate(
    { ...inKeyOrder(update), numbered: true, returning: ['"u".n'] },
    quoteOf(em),
  );
  return sendText(em, { text: summed(text, 0, true), values }, true);
}

function inKeyOrder<T extends { readonly keys: readonly ArrayColumn[]; readonly sets: readonly SetColumn[] }>(
  update: T,
): T {
  const order = keyOrder(update.keys);
  if (!order) return update;
  const inOrder = <Column extends SetColumn>(column: Column): Column => {
    const { values } = column;
    return typeof values === 'string' ? column : { ...column, values: order.map((place) => values[place]) };
  };
  return { ...update, keys: update.keys.map(inOrder), sets: update.sets.map(inOrder) };
}

const quoteOf =
  (em: DataEntityManager) =>
  (name: string): string =>
    em.getPlatform().quoteIdentifier(name);

async function sendText(
  em: DataEntityManager,
  { text, values }: { readonly text: string; readonly values: readonly unknown[] },
  isPrepared: boolean,
): Promise<LockedAnswer> {
  const sent = em.config.get('onQuery')(text, values);
  const statement = (isPrepared && arrayStatement(sent)) || { text: sent };
  const query = { ...statement, values: [...values] } as Parameters<DataConnection['executeNamed']>[0];
  const context = { id: em.id, ...em.getLoggerContext() } as LoggingOptions;
  const ctx: object | undefined = em.getTransactionContext();
  const [answer] = await em
    .getDriver()
    .getConnection('write')
    .executeNamed<LockedAnswer>(query, ctx, context);
  return answer as LockedAnswer;
}
