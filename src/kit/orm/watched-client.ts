import type { PoolClient } from 'pg';
import { isSessionOver, rolledBack } from '../errors/index.ts';
import { endWithSession, isCursor } from './ended-cursor.ts';
import { keepFewNames } from './statement-names.ts';

type Query = (...args: unknown[]) => unknown;

interface Watcher {
  sends(query: unknown): void;
  translated(error: unknown): Error;
}

/** Puts rules between Kysely and a connection of the pool; they see the answers only and send nothing. */
export function watch(client: PoolClient, { sends, translated }: Watcher): void {
  const query = client.query.bind(client) as Query;
  const endIfOver = (error: unknown): void => {
    if (isSessionOver(error)) giveBack(client, error);
  };
  const isEnded = endOf(client);
  const watched = (...args: unknown[]): unknown => {
    const [statement] = args;
    sends(statement);
    keepFewNames(client, query, statement);
    if (isCursor(statement)) {
      query(...args);
      return endWithSession(statement, { client, isEnded, endIfOver });
    }
    if (statement === 'commit' || statement === 'rollback') return endTransaction(client, query, args);
    const answer = query(...args);
    // Where the pool itself sends, it has a callback, and gives the connection back by it.
    if (!isPromise(answer)) return answer;
    return answer.catch((error: unknown) => {
      if (isBegin(statement)) giveBack(client, error);
      else endIfOver(error);
      throw translated(error);
    });
  };
  Object.assign(client, { query: watched });
}

/**
 * Makes COMMIT and ROLLBACK tell the truth, which Kysely sends as these words and nothing else.
 *
 * PostgreSQL answers the COMMIT of a transaction that a statement has aborted with ROLLBACK and no error, so the program
 * would believe that its work is stored. And a ROLLBACK that fails must not fail: the session ends then, which rolls back,
 * and Kysely gives the connection back to the pool only after a success.
 */
async function endTransaction(client: PoolClient, query: Query, args: unknown[]): Promise<unknown> {
  try {
    const result = (await query(...args)) as { readonly command?: string } | undefined;
    if (args[0] === 'commit' && result?.command === 'ROLLBACK') throw rolledBack();
    return result;
  } catch (error) {
    if (args[0] === 'rollback' || isSessionOver(error)) giveBack(client, error);
    if (args[0] === 'rollback') return { command: 'ROLLBACK', rows: [] };
    throw error;
  }
}

/**
 * Gives a connection back to the pool, which ends it. Not left to whoever has it: Kysely forgets the connection on which a
 * transaction could not begin, so that its place in the pool is lost and closing the pool waits for it for ever; and it gives
 * back one that has ended as if it were sound, so that the next call fails, too.
 */
function giveBack(client: PoolClient, error: unknown): void {
  const release = client.release.bind(client);
  // The pool gives a client another one each time it hands it out, and this one it hands out no more.
  client.release = () => undefined;
  try {
    release(error instanceof Error ? error : true);
  } catch {
    // The statement was not waited for, and the connection was given back before the answer came.
  }
}

/** Whether the connection has ended, asked later. */
function endOf(client: PoolClient): () => boolean {
  let isEnded = false;
  client.once('end', () => (isEnded = true));
  return () => isEnded;
}

/** As Kysely sends it. */
function isBegin(statement: unknown): boolean {
  return (
    statement === 'begin' || (typeof statement === 'string' && statement.startsWith('start transaction'))
  );
}

function isPromise(answer: unknown): answer is Promise<unknown> {
  return typeof (answer as Partial<Promise<unknown>> | undefined)?.catch === 'function';
}
