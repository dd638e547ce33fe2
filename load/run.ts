import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/core';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway, gatewayRepositories } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { now } from './clock.ts';
import { type Evidence, evidenceOf, recordStart, recordTold } from './evidence.ts';
import { fill, FULL, QUICK } from './fill.ts';
import { type Checked, checkAll, invariantsOf } from './invariants/index.ts';
import type { Invariant } from './invariants/invariant.ts';
import { openSessions } from './invariants/sessions.ts';
import type { Results } from './messages.ts';
import { type LoadOptions, shareOf } from './options.ts';
import { WorkerProcess } from './worker-process.ts';

/** How the caller of a run takes part in it. */
export interface Attendance {
  readonly progress?: Progress;
  /** Ends the run before its time; it then fails. */
  readonly signal?: AbortSignal;
}

/** What is told while it runs: what is done now, and of the run itself how much of it is over, from 0 to 1. */
export type Progress = (stage: string, share: number) => void;

/** A run that has ended, with what is needed to look at its database once more. */
export interface LoadRun {
  readonly results: readonly Results[];
  /** Of the part that was measured, until the last call that began in it ended. */
  readonly measuredSeconds: number;
  readonly warmUpSeconds: number;
  /** That the server has broken; the layer runs the loser again, so its caller sees a long call and no error. */
  readonly deadlocks: number;
  readonly checked: readonly Checked[];
  readonly invariants: readonly Invariant[];
  readonly evidence: Evidence;
  /** Ends the connection of `evidence`. */
  close(): Promise<void>;
}

const LONGEST_WARM_UP = 5;
const LONGEST_AGGREGATION_PAUSE = 5;

/**
 * Fills an empty database, lets the processes call, and checks the invariants.
 *
 * @throws Error when a process of callers ends before its time; none of them is left then.
 */
export async function runLoad(
  url: string,
  options: LoadOptions,
  { progress = () => undefined, signal }: Attendance = {},
): Promise<LoadRun> {
  progress('migrating and filling', 0);
  await new Migrator({ connection: url, modules: [gateway] }).up();
  await fill(url, options.quick ? QUICK : FULL);
  const client = new Client({ connectionString: url });
  await client.connect();
  const workers: WorkerProcess[] = [];
  try {
    await recordStart(client);
    signal?.throwIfAborted();
    signal?.addEventListener('abort', () => workers.forEach((worker) => void worker.kill()), { once: true });
    for (let index = 0; index < options.processes; index += 1) workers.push(startWorker(url, options, index));
    return await drive(client, url, workers, options, progress);
  } catch (error) {
    await client.end();
    throw error;
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
  }
}

function startWorker(
  url: string,
  { callers, connections, processes, seed }: LoadOptions,
  index: number,
): WorkerProcess {
  return new WorkerProcess(url, {
    index,
    seed,
    callers: shareOf(callers, processes, index),
    connections: shareOf(connections, processes, index),
  });
}

async function drive(
  client: Client,
  url: string,
  workers: readonly WorkerProcess[],
  { seconds, connections }: LoadOptions,
  progress: Progress,
): Promise<LoadRun> {
  await Promise.all(workers.map((worker) => worker.word('ready')));
  const warmUpSeconds = Math.min(LONGEST_WARM_UP, seconds / 6);
  const from = now() + warmUpSeconds * 1000;
  const until = from + seconds * 1000;
  const aggregateEveryMs = 1000 * Math.min(LONGEST_AGGREGATION_PAUSE, seconds / 6);
  for (const worker of workers) worker.order({ type: 'begin', span: { from, until, aggregateEveryMs } });
  const ticking = tick(from, until, progress);
  const results = await Promise.all(
    workers.map(async (worker) => (await worker.word('stopped')).results),
  ).finally(() => ticking.abort());
  progress('checking', 1);
  for (const worker of workers) worker.order({ type: 'drain' });
  const heard = await Promise.all(workers.map(async (worker) => (await worker.word('drained')).heard));
  const evidence = evidenceOf(
    client,
    results.map(({ told }) => told),
    results.map(({ seen }) => seen),
  );
  const idle = await openSessions(evidence);
  await Promise.all(workers.map((worker) => worker.leave()));
  await aggregateOnceMore(url);
  await recordTold(client, evidence.told, heard);
  const invariants = invariantsOf(idle, connections);
  const checked = await checkAll(invariants, evidence);
  const measuredSeconds = (Math.max(until, ...results.map(({ ended }) => ended)) - from) / 1000;
  const deadlocks = await deadlocksOf(evidence);
  const close = (): Promise<void> => client.end();
  return { results, measuredSeconds, warmUpSeconds, deadlocks, checked, invariants, evidence, close };
}

/** Sessions report what they counted when they end, and those of the callers have ended. */
async function deadlocksOf({ rows }: Evidence): Promise<number> {
  const [row] = await rows<{ deadlocks: number }>(
    'select deadlocks::int as deadlocks from pg_stat_database where datname = current_database()',
  );
  return row?.deadlocks ?? 0;
}

async function aggregateOnceMore(url: string): Promise<void> {
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  try {
    await gatewayRepositories(orm.em.fork()).dashboardAggregation.aggregateNewLogs();
  } finally {
    await orm.close();
  }
}

function tick(from: number, until: number, progress: Progress): AbortController {
  const stop = new AbortController();
  const turn = async (): Promise<void> => {
    while (now() < until) {
      const isWarm = now() >= from;
      progress(isWarm ? 'measuring' : 'warming up', isWarm ? (now() - from) / (until - from) : 0);
      await sleep(200, undefined, { signal: stop.signal });
    }
  };
  // Aborted when a process has ended before its time.
  turn().catch(() => undefined);
  return stop;
}
