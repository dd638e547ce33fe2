import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { DataConnection } from './data-connection.ts';

/** One statement with a fixed text: PostgreSQL parses and plans it once per connection, under its name. */
export interface PreparedStatement {
  /** Unique in the service, and at most 50 bytes: a scope, and a migration that changes its columns, add to it. */
  readonly name: string;
  /** SQL with `$1`, `$2` …; a soft-deletable table needs its own `deleted_at IS NULL` here. */
  readonly text: string;
  /**
   * Whether the statement may be sent behind others whose answers are still to come, where all connections of the pool are taken
   * (pipelining). Only for a read that locks nothing and finds few rows by an index: the next one waits for it.
   */
  readonly isPipelined?: boolean;
  /**
   * Whether instants (`timestamptz`) of its rows may come as dates, to the millisecond, and not as the text of the database only.
   * Then each is read by `storedInstant`, which takes both.
   */
  readonly readsDates?: boolean;
}

/**
 * Runs a prepared statement and gives its rows as the driver parses them: on the connection of the transaction that is open
 * here, or else on one of the pool. Where there are replicas, that is the primary's, because nothing here says whether the
 * statement writes, or what is decided by what it reads; `on: 'read'` is for one that only reads and may be late.
 */
export function runPrepared<Row extends object>(
  em: SqlEntityManager,
  { name, text, isPipelined, readsDates }: PreparedStatement,
  values: readonly unknown[],
  on: 'read' | 'write' = 'write',
): Promise<Row[]> {
  try {
    const transaction = em.getTransactionContext();
    const connection = em.getConnection(transaction ? 'write' : on) as unknown as DataConnection;
    const dates = readsDates || undefined;
    return connection.executeNamed<Row>({ name, text, isPipelined, dates, values: [...values] }, transaction);
  } catch (error) {
    // An entity manager outside its scope.
    return Promise.reject(error);
  }
}

/** As {@link runPrepared}, of a change that returns no row: how many rows it has changed. */
export function changePrepared(
  em: SqlEntityManager,
  { name, text }: PreparedStatement,
  values: readonly unknown[],
): Promise<number> {
  try {
    const connection = em.getConnection('write') as unknown as DataConnection;
    return connection.changeNamed({ name, text, values: [...values] }, em.getTransactionContext());
  } catch (error) {
    // An entity manager outside its scope.
    return Promise.reject(error);
  }
}
