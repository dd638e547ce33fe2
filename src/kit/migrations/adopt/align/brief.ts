import { DatabaseError } from 'pg';
import { withRetries } from '../../execution.ts';
import type { Session } from '../../session.ts';
import type { Timeouts } from '../../timeouts.ts';
import type { StepContext, TableLock } from './align-step.ts';
import { noTableLock, type TableHolder, tableHolders } from './table-holders.ts';

/** Who waits for a lock keeps everybody waiting who comes behind: better to give way soon and to try often. */
const PATIENCE: Timeouts = { lockMs: 500, statementMs: 0, attempts: 40, backOffMs: 100 };

/** A transaction that is short because it changes the catalogue only, or an empty or small table. */
export interface Brief {
  readonly tables: readonly string[];
  readonly lock: Extract<TableLock, 'ACCESS EXCLUSIVE' | 'SHARE ROW EXCLUSIVE' | 'none'>;
  readonly statements: readonly string[];
}

/**
 * Locks the tables first and notes for how long.
 *
 * @throws MigrationError `MIGRATION.LOCK_TIMEOUT` with those who stand in the way.
 */
export async function briefly(context: StepContext, brief: Brief): Promise<void> {
  const { session } = context;
  const timeouts = { ...PATIENCE, ...context.timeouts };
  let holders: TableHolder[] = [];
  try {
    await withRetries({ name: '' }, { timeouts, tell: () => undefined }, async () => {
      // A vacuum gives way to those only who have waited for the time after which deadlocks are looked for.
      const isVacuum = holders.length > 0 && holders.every((holder) => holder.isVacuum);
      try {
        await attempt(context, brief, isVacuum ? await longerThanVacuum(session) : timeouts.lockMs);
      } catch (error) {
        await session.run('rollback').catch(() => undefined);
        if (isLockFailure(error)) holders = await tableHolders(session, brief.tables, brief.lock);
        throw error;
      }
    });
  } catch (error) {
    throw isLockFailure(error) ? noTableLock(brief.tables, brief.lock, holders) : error;
  }
}

async function attempt(
  { session, held }: StepContext,
  { tables, lock, statements }: Brief,
  lockMs: number,
): Promise<void> {
  await session.run(
    `begin isolation level read committed; set local lock_timeout to ${lockMs}; set local statement_timeout to 0`,
  );
  const granted = new Map<string, number>();
  for (const table of lock === 'none' ? [] : tables) {
    await session.run(`lock table ${table} in ${lock} mode`);
    granted.set(table, performance.now());
  }
  await session.run([...statements, 'commit'].join(';\n'));
  for (const [table, since] of granted) held({ table, lock, ms: performance.now() - since });
}

async function longerThanVacuum(session: Session): Promise<number> {
  const [row] = await session.query<{ ms: number }>(
    `select setting::int as ms from pg_catalog.pg_settings where name = 'deadlock_timeout'`,
  );
  return (row?.ms ?? 1000) + 500;
}

/** No lock in time, or the victim of a deadlock: nothing is left, and the next attempt may go well. */
export const isLockFailure = (error: unknown): boolean =>
  error instanceof DatabaseError && (error.code === '55P03' || error.code === '40P01');

/** Works without timeouts: one would only leave half a build behind, and nobody waits for these locks. */
export async function patiently<T>({ session }: StepContext, work: () => Promise<T>): Promise<T> {
  const [before] = await session.query<{ lock: string; statement: string }>(
    `select current_setting('lock_timeout') as lock, current_setting('statement_timeout') as statement`,
  );
  const again = `set lock_timeout to '${before?.lock ?? '0'}'; set statement_timeout to '${before?.statement ?? '0'}'`;
  await session.run('set lock_timeout to 0; set statement_timeout to 0');
  try {
    const result = await work();
    await session.run(again);
    return result;
  } catch (error) {
    // The session may be gone, and what ended it is what has to be told.
    await session.run(`rollback; ${again}`).catch(() => undefined);
    throw error;
  }
}
