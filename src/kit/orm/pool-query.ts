import type { Pool, PoolClient } from 'pg';
import { isSessionOver } from '../errors/index.ts';
import type { Callback, QueryResult } from './short-query.ts';

type Query = (query: object, callback: Callback) => unknown;

/**
 * Sends one statement by a connection of the pool, and gives the connection back before the answer is read.
 *
 * The pool's own `query` does the same, but ends the connection of each statement that was refused, and not only of one that was
 * lost. By callbacks, because promises are a large part of what a short statement takes.
 */
export function queryByPool<T>(pool: Pool, query: object, read: (result: QueryResult) => T): Promise<T> {
  return new Promise((resolve, reject) => {
    pool.connect((failure, client) => {
      if (failure || !client) return reject(failure ?? new Error('The pool gave no connection.'));
      let isDone = false;
      const done: Callback = (error, result) => {
        // What waits for the connection and what waits for the answer can both fail when it is lost.
        if (isDone) return;
        isDone = true;
        client.release(error !== null && isSessionOver(error));
        if (error) reject(error);
        else resolve(read(result));
      };
      sendBy(client, query, done);
    });
  });
}

/** Calls `done` once at least, whatever becomes of the statement. */
export function sendBy(client: PoolClient, query: object, done: Callback): void {
  const failed = (error: unknown): void => done(error as Error, { command: '', rowCount: null, rows: [] });
  try {
    const answer = (client.query as unknown as Query)(query, done);
    // A statement that has to be sent first is waited for by a promise.
    if (answer instanceof Promise) answer.catch(failed);
  } catch (error) {
    failed(error);
  }
}
