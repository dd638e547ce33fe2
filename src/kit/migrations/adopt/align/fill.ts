import { BACKSTOP_SETTING } from '../../backstop.ts';
import { withRetries } from '../../execution.ts';
import type { Timeouts } from '../../timeouts.ts';
import type { StepContext } from './align-step.ts';
import { isLockFailure, patiently } from './brief.ts';
import type { KeyColumn } from './table-facts.ts';
import { noTableLock, tableHolders } from './table-holders.ts';

/** Rows that get a value: gone through by key, in transactions of their own. */
export interface Fill {
  readonly table: string;
  /** Empty for a table that is small: its rows are written at once. */
  readonly key: readonly KeyColumn[];
  /** Assignments; columns of the row stand behind `t.`. */
  readonly set: string;
  /** Which rows; run again, it finds none of those that are done. */
  readonly where: string;
  /** Whether the triggers of the table are to be left alone, for a value that no program asked for. */
  readonly isSilent: boolean;
  /** For the progress. */
  readonly text: string;
  readonly estimate: number;
}

/** So few that a program waits for its row for some milliseconds only. */
const BATCH = 2000;

/**
 * A batch keeps rows locked while it waits for one that a program has: it gives way soon, and long before the server would look for
 * a deadlock and might end the program's transaction.
 */
const ROW_WAIT_MS = 200;
const PATIENCE: Timeouts = { lockMs: ROW_WAIT_MS, statementMs: 0, attempts: 100, backOffMs: 50 };

/** What a batch needs of memory and locks does not grow with the table. */
export async function fill(context: StepContext, task: Fill): Promise<void> {
  await patiently(context, async () => {
    let cursor: readonly string[] | undefined;
    let rows = 0;
    for (;;) {
      const batch = task.key.length === 0 ? undefined : await nextBatch(context, task, cursor);
      await writeBatch(context, task, cursor, batch?.upper);
      rows += batch?.rows ?? 0;
      const estimate = Math.max(task.estimate, rows);
      context.tell({ type: 'adoption-rows', text: task.text, rows, estimate });
      if (!batch?.upper || batch.rows < BATCH) return;
      cursor = batch.upper;
    }
  });
}

interface Batch {
  readonly rows: number;
  /** The last key, as text; null behind the last row. */
  readonly upper: readonly string[] | null;
}

async function nextBatch(
  { session }: StepContext,
  { table, key }: Fill,
  cursor: readonly string[] | undefined,
): Promise<Batch> {
  const names = key.map(({ name }) => name);
  const behind = cursor ? `where ${beyond(key, '>', 1)}` : '';
  const [batch] = await session.query<Batch>(
    `with batch as (select ${names.join(', ')} from ${table} ${behind} order by ${names.join(', ')} limit ${BATCH})
      select (select count(*)::int from batch) as rows, (select array[${names.map((name) => `${name}::text`).join(', ')}]
        from batch order by ${names.map((name) => `batch.${name} desc`).join(', ')} limit 1) as upper`,
    [...(cursor ?? [])],
  );
  return batch as Batch;
}

/** A key as values of the parameters that begin with this number. */
function beyond(key: readonly KeyColumn[], operator: '>' | '<=', first: number): string {
  const values = key.map(({ type }, at) => `$${first + at}::text::${type}`);
  return `(${key.map(({ name }) => name).join(', ')}) ${operator} (${values.join(', ')})`;
}

/**
 * Rows are locked in the order of their keys, as a program that takes several should do; a deadlock with one that does not is no
 * harm, because the batch is run again.
 */
async function writeBatch(
  context: StepContext,
  { table, key, set, where, isSilent }: Fill,
  lower: readonly string[] | undefined,
  upper: readonly string[] | null | undefined,
): Promise<void> {
  const { session } = context;
  const bounds = [
    ...(lower ? [beyond(key, '>', 1)] : []),
    ...(upper ? [beyond(key, '<=', 1 + (lower?.length ?? 0))] : []),
  ];
  const names = key.map(({ name }) => name);
  const sql =
    key.length === 0
      ? `update ${table} t set ${set} where ${where}`
      : `with batch as materialized (select ${names.join(', ')} from ${table} where ${[...bounds, where].join(' and ')}
          order by ${names.join(', ')} for no key update)
        update ${table} t set ${set} from batch where ${names.map((name) => `t.${name} = batch.${name}`).join(' and ')}`;
  const timeouts = { ...PATIENCE, ...context.timeouts };
  const retried = withRetries({ name: '' }, { timeouts, tell: () => undefined }, async () => {
    try {
      // A deleted row has to be right too, whatever keeps programs from it.
      await session.run(
        `begin isolation level read committed; set local lock_timeout to ${ROW_WAIT_MS}; set local ${BACKSTOP_SETTING} to 'on'`,
      );
      if (isSilent) await session.run('set local session_replication_role to replica');
      await session.change(sql, [...(lower ?? []), ...(upper ?? [])]);
      await session.run('commit');
    } catch (error) {
      await session.run('rollback').catch(() => undefined);
      throw error;
    }
  });
  await retried.catch(async (error: unknown) => {
    if (!isLockFailure(error)) throw error;
    const holders = await tableHolders(session, [table], 'SHARE ROW EXCLUSIVE');
    throw noTableLock([`rows of ${table}`], 'ROW EXCLUSIVE', holders);
  });
}
