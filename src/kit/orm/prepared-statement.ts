import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { withScope } from './sent-statements.ts';

/** One statement with a fixed text: PostgreSQL parses and plans it once per connection, under its name. */
export interface PreparedStatement {
  /** At most 63 bytes, unique in the service. */
  readonly name: string;
  /** SQL with `$1`, `$2` …; a soft-deletable table needs its own `deleted_at IS NULL` here. */
  readonly text: string;
}

/**
 * Runs a prepared statement and gives its rows as the driver parses them.
 *
 * Outside a transaction it goes to the pool under its name; inside one it runs on the transaction's own connection,
 * unnamed, because that connection is not reachable as a `pg` client and a second one must not be taken.
 */
export async function runPrepared<Row extends object>(
  em: SqlEntityManager,
  statement: PreparedStatement,
  values: readonly unknown[],
): Promise<Row[]> {
  if (em.isInTransaction())
    return em.execute<Row[]>(positional(statement.text), inOrder(statement.text, values));
  const connection = em.getConnection('read') as unknown as { getNativeClient(): Promise<Pool> };
  const driver = em.getDriver();
  try {
    const pool = await connection.getNativeClient();
    const { rows } = await pool.query<Row>(withScope({ ...statement, values: [...values] }));
    return rows;
  } catch (error) {
    throw driver.convertException(error as Error);
  }
}

const PLACEHOLDER = /\$(\d+)/g;

/** MikroORM numbers `?` itself; a `$n` that occurs twice becomes two. */
function positional(text: string): string {
  return text.replace(PLACEHOLDER, '?');
}

function inOrder(text: string, values: readonly unknown[]): unknown[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => values[Number(match[1]) - 1]);
}
