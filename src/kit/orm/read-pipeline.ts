import type { Pool, PoolClient } from 'pg';
import { isSessionOver } from '../errors/index.ts';
import { sendBy } from './pool-query.ts';
import type { QueryResult } from './short-query.ts';

/** How many statements may wait for their answers on one connection. */
const DEPTH = 8;
/** After so many a connection goes back to the pool, in whose queue others may wait for it. */
const TURN = 64;

interface Job {
  /** Grows with each call: which of them were there before a connection was asked for. */
  readonly number: number;
  readonly query: { readonly name?: string | undefined; readonly text: string };
  timer?: NodeJS.Timeout;
  settle(error: Error | null, result: QueryResult): void;
}

interface Lane {
  readonly client: PipelinedClient;
  sent: number;
  inFlight: number;
  failure: Error | undefined;
}

/** What `pg` has for a connection beyond its types: its pipeline mode, and the names that the server has confirmed. */
type PipelinedClient = PoolClient & {
  pipeline?: boolean;
  /** What the pool's options say, and where they are silent the driver's defaults. */
  readonly connectionParameters?: { readonly query_timeout?: unknown };
  readonly connection?: { readonly parsedStatements?: Record<string, string | undefined> };
};

/**
 * Sends short reads one behind the other on a connection that has not answered yet, once all connections of the pool are taken.
 * PostgreSQL answers them in their order, and each is a transaction of its own.
 *
 * Only reads that lock nothing and find few rows by an index: behind a statement that waits for a row lock, a read could wait for
 * its own program, and neither would ever end.
 */
export class ReadPipeline {
  readonly #pool: Pool;
  readonly #lanes = new Set<Lane>();
  readonly #waiting: Job[] = [];
  #asked = 0;
  #number = 0;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  query<T>(query: Job['query'], read: (result: QueryResult) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const settle: Job['settle'] = (error, result) => (error ? reject(error) : resolve(read(result)));
      this.#number += 1;
      const job: Job = { number: this.#number, query, settle };
      const lane = this.#waiting.length === 0 ? this.#laneFor(job) : undefined;
      if (lane) return this.#send(lane, job);
      this.#wait(job);
    });
  }

  /** As long as the program says; the pool's own clock begins with the request for a connection, which may be another call's. */
  #wait(job: Job): void {
    this.#waiting.push(job);
    const limit = this.#pool.options.connectionTimeoutMillis;
    if (limit) job.timer = setTimeout(() => this.#giveUp(job), limit).unref();
    this.#ask();
  }

  #giveUp(job: Job): void {
    const place = this.#waiting.indexOf(job);
    if (place === -1) return;
    this.#waiting.splice(place, 1);
    job.settle(new Error('timeout exceeded when trying to connect'), NOTHING);
  }

  /** The lane with the fewest statements, where no connection is free and nobody else waits for one. */
  #laneFor(job: Job): Lane | undefined {
    if (!this.#isPoolTaken()) return undefined;
    let best: Lane | undefined;
    for (const lane of this.#lanes)
      if (lane.inFlight < (best?.inFlight ?? DEPTH) && takes(lane, job)) best = lane;
    return best;
  }

  #isPoolTaken(): boolean {
    const { idleCount, totalCount, options } = this.#pool;
    return idleCount === 0 && totalCount >= (options.max ?? 0) && !this.#othersWait();
  }

  /** Requests for a connection that is being made are not in the pool's queue, so this may see none for a moment. */
  #othersWait(): boolean {
    return this.#pool.waitingCount > this.#asked;
  }

  #ask(): void {
    if (this.#asked >= Math.min(this.#waiting.length, this.#pool.options.max ?? 1)) return;
    this.#asked += 1;
    const last = this.#number;
    this.#pool.connect((failure, client) => {
      const jobs = this.#share();
      this.#asked -= 1;
      if (client) this.#open(client, jobs);
      else this.#refuse(failure ?? new Error('The pool gave no connection.'), jobs, last);
      if (client) return this.#ask();
      // A pool that has ended refuses at once, and the stack is not as deep as many calls wait.
      queueMicrotask(() => this.#ask());
    });
  }

  /** What this one of the connections that were asked for has to send. */
  #share(): Job[] {
    return this.#waiting.splice(0, Math.min(DEPTH, Math.ceil(this.#waiting.length / this.#asked)));
  }

  #open(client: PipelinedClient, jobs: readonly Job[]): void {
    const lane: Lane = { client, sent: 0, inFlight: 0, failure: undefined };
    const [first, ...others] = jobs;
    if (!first) return client.release();
    // A statement that lasts too long would end the connection, with those behind it.
    client.pipeline = !client.connectionParameters?.query_timeout;
    this.#lanes.add(lane);
    this.#waiting.unshift(...others);
    this.#send(lane, first);
    this.#fill(lane, others.length);
  }

  #fill(lane: Lane, most: number): void {
    for (let sent = 0; sent < most && lane.inFlight < DEPTH; sent += 1) {
      const [next] = this.#waiting;
      if (!next || !takes(lane, next) || this.#othersWait()) return;
      this.#waiting.shift();
      this.#send(lane, next);
    }
  }

  /** A call that came after this connection was asked for may get another one. */
  #refuse(failure: Error, jobs: readonly Job[], last: number): void {
    this.#waiting.unshift(...jobs.filter(({ number }) => number > last));
    for (const { number, settle, timer } of jobs) {
      if (number > last) continue;
      clearTimeout(timer);
      settle(failure, NOTHING);
    }
  }

  #send(lane: Lane, { query, settle, timer }: Job): void {
    clearTimeout(timer);
    lane.sent += 1;
    lane.inFlight += 1;
    let isDone = false;
    sendBy(lane.client, query, (error, result) => {
      if (isDone) return;
      isDone = true;
      lane.inFlight -= 1;
      if (error && isSessionOver(error)) lane.failure = error;
      this.#goOn(lane);
      settle(error, result);
    });
  }

  #goOn(lane: Lane): void {
    // One for the answer that has come, and one more as long as calls wait.
    this.#fill(lane, 2);
    if (lane.inFlight > 0) return;
    this.#lanes.delete(lane);
    // Where nothing could be sent at all, whoever has opened the lane has still to fill it.
    lane.sent = TURN;
    lane.client.pipeline = false;
    lane.client.release(lane.failure !== undefined);
  }
}

const NOTHING: QueryResult = { command: '', rowCount: null, rows: [] };

/** A statement that is being prepared by the one before it could not be sent if that one failed. */
function takes({ client, sent, failure }: Lane, { query }: Job): boolean {
  return (
    client.pipeline &&
    failure === undefined &&
    sent < TURN &&
    query.name !== undefined &&
    client.connection?.parsedStatements?.[query.name] === query.text
  );
}
