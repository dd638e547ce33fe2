import type { PoolClient } from 'pg';
import { BACKSTOP_SETTING } from '../migrations/index.ts';
import { currentScope, guardsWrites } from '../soft-delete/index.ts';
import { isLiftingMarks } from './lifting-marks.ts';

type Value = 'on' | 'off';
type Query = (...args: unknown[]) => unknown;

/**
 * Puts what the backstop must know before the statements that it is about. Kysely sends the statements of one transaction
 * one after the other, so that nothing comes in between; a cursor is submitted at once, and the two queue in that order.
 */
export function tellBackstop(client: PoolClient, log: (sql: string) => void): void {
  const query = client.query.bind(client) as Query;
  const session = new BackstopSession();
  const told = (...args: unknown[]): unknown => {
    const text = textOf(args[0]);
    const first = session.before(text);
    if (!first) {
      session.after(text);
      return query(...args);
    }
    log(first.sql);
    const telling = (query(first.sql) as Promise<unknown>).then(
      () => first.done(true),
      (error: unknown) => {
        first.done(false);
        throw error;
      },
    );
    const send = (): unknown => {
      session.after(text);
      return query(...args);
    };
    if (isCursor(args[0])) {
      // What keeps the setting from being told keeps the cursor from being opened, and is reported there.
      telling.catch(() => undefined);
      return send();
    }
    // The end of a transaction that was aborted tells so itself.
    return text === 'commit' ? telling.then(send, send) : telling.then(send);
  };
  Object.assign(client, { query: told });
}

const isCursor = (statement: unknown): boolean =>
  typeof (statement as { submit?: unknown } | undefined)?.submit === 'function';

/** A statement is a text, or an object that has one: a prepared statement, a cursor. */
function textOf(statement: unknown): string {
  const text =
    typeof statement === 'string' ? statement : (statement as { text?: unknown } | undefined)?.text;
  return typeof text === 'string' ? text : '';
}

/**
 * What one connection of the pool has told the backstop of its tables, kept in step with the scope of each statement.
 *
 * Told before a statement and not at the two ends of a scope: work that runs at the same time in one transaction, in a scope
 * and outside, shares the connection, and the statements of the one must not pass because of the other. A scope that ends by
 * an error need not put anything back either, when the aborted transaction would take no statement any more.
 */
class BackstopSession {
  #isOpen = false;
  #wasOn = false;
  /** Undefined: not known, because a savepoint has taken back what was set after it. */
  #value: Value | undefined = 'off';

  /** The statement to send before `text`, if one is needed: never outside a transaction, nor in one without a skip scope. */
  before(text: string): { readonly sql: string; done(succeeded: boolean): void } | undefined {
    if (BEGINS.test(text)) {
      this.#isOpen = true;
      this.#wasOn = false;
      this.#value = 'off';
      return undefined;
    }
    // It must be the next statement after a failure, and takes back what was set.
    if (ROLLS_BACK.test(text) || !this.#isOpen) return undefined;
    const scope = currentScope();
    // What a scope has left running when it ended is not the scope's work any more.
    const isSkipping = !guardsWrites(scope) && scope?.closed !== true;
    const wanted: Value = isSkipping || isLiftingMarks() ? 'on' : 'off';
    if (wanted === this.#value) return undefined;
    this.#wasOn = true;
    return {
      sql: `set local ${BACKSTOP_SETTING} = '${wanted}'`,
      done: (succeeded) => (this.#value = succeeded ? wanted : undefined),
    };
  }

  /** To be called when `text` was sent. */
  after(text: string): void {
    if (text === 'commit' || text === 'rollback') this.#isOpen = false;
    if (this.#wasOn && MAY_TAKE_BACK.test(text)) this.#value = undefined;
  }
}

const BEGINS = /^(begin|start transaction)\b/i;
const ROLLS_BACK = /^(\s|--[^\n]*\n|\/\*.*?\*\/)*(rollback|abort)\b/is;
/** Also in a text of several statements. A word too many costs one statement. */
const MAY_TAKE_BACK = /\brollback\b/i;
