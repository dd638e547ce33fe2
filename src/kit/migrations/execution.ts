import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from 'pg';
import type { Outcome } from './errors.ts';
import type { ExecutionEvent } from './events.ts';
import type { MigrationFile } from './files.ts';
import { forgetSql, recordSql } from './ledger.ts';
import { hasFloor, lowerFloorSql } from './phases/floor.ts';
import type { Session } from './session.ts';
import { pauseAfter, type Timeouts } from './timeouts.ts';

export type Direction = Outcome['direction'];

/** The answer of a person for a statement of which nothing tells whether it was done. */
export type InDoubt = 'done' | 'again';

/** What a file is run with. */
export interface Execution {
  readonly session: Session;
  readonly direction: Direction;
  /** Names of the files before it in this run. */
  readonly done: readonly string[];
  readonly timeouts: Timeouts;
  readonly inDoubt?: InDoubt;
  tell(event: ExecutionEvent): void;
  /** Hears how long a statement of a NO TRANSACTION file took, in milliseconds. */
  ran?(statement: number, ms: number): void;
}

/** The statements that record the file, or take it out of the ledger. */
export async function ledgerSql(file: MigrationFile, { session, direction }: Execution): Promise<string> {
  if (direction === 'up') return recordSql(session, file);
  const forget = await forgetSql(session, file.name);
  return hasFloor(file) ? `${forget}; ${lowerFloorSql(file.name)}` : forget;
}

/** 55P03: no lock within lock_timeout. 40P01: the victim of a deadlock. Both leave nothing and may go well next time. */
const WORTH_RETRYING = new Set(['55P03', '40P01']);

/** Runs the work again, after a pause that grows, while it fails for want of a lock. It must leave nothing then. */
export async function withRetries(
  file: Pick<MigrationFile, 'name'>,
  { timeouts, tell }: Pick<Execution, 'timeouts' | 'tell'>,
  work: () => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      const sqlState = sqlStateOf(error);
      if (!WORTH_RETRYING.has(sqlState ?? '') || attempt >= timeouts.attempts) throw error;
      const pauseMs = pauseAfter(attempt, timeouts);
      tell({ type: 'retrying', name: file.name, attempt, of: timeouts.attempts, pauseMs, sqlState });
      await sleep(pauseMs);
    }
  }
}

function sqlStateOf(error: unknown): string | undefined {
  if (error instanceof DatabaseError) return error.code;
  return error instanceof Error && 'sqlState' in error ? String(error.sqlState) : undefined;
}
