import { SingleBar } from 'cli-progress';
import type { MigrationEvent } from '../kit/migrations/index.ts';
import { describeBackfill, sparse } from './backfill-progress.ts';
import { lineAbout } from './event-lines.ts';
import { describeStatement } from './statement-progress.ts';

/** Shows a run while it goes on. */
export interface Progress {
  tell(event: MigrationEvent): void;
  end(): void;
}

/** Where a command writes. */
export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

/**
 * A bar on a terminal, a line per file elsewhere. For machines one JSON object a line on standard error, for what a person
 * would be told beside the result: standard output holds the result and nothing else.
 */
export function progressFor({ stdout, stderr }: Streams, json: boolean): Progress {
  if (json) return objects(stderr);
  return stdout.isTTY ? bar(stdout) : lines(stdout);
}

function objects(stream: NodeJS.WriteStream): Progress {
  const isDue = nowAndThen(1000);
  return {
    tell: (event) => {
      if (lineAbout(event) !== undefined && isDue(event)) stream.write(`${JSON.stringify(event)}\n`);
    },
    end: () => undefined,
  };
}

function lines(stream: NodeJS.WriteStream): Progress {
  const note = notes(stream);
  return {
    tell: (event) => {
      note(event);
      if (event.type === 'applied' || event.type === 'reverted') {
        stream.write(
          `${event.type} ${event.index + 1}/${event.total} ${event.name} in ${event.ms.toFixed(0)} ms\n`,
        );
      }
    },
    end: () => undefined,
  };
}

function bar(stream: NodeJS.WriteStream): Progress {
  const view = new SingleBar({
    stream,
    format: '{bar} {value}/{total} {file}',
    clearOnComplete: false,
    noTTYOutput: false,
  });
  const note = notes(stream);
  let started = false;
  return {
    tell: (event) => {
      if (event.type === 'backfill') return view.update({ file: describeBackfill(event) });
      note(event);
      if (event.type === 'statement-progress')
        return view.update({ file: `${event.name} ${describeStatement(event)}` });
      if (!('total' in event)) return;
      if (!started) view.start(event.total, 0, { file: event.name });
      started = true;
      view.update(event.type === 'start' ? event.index : event.index + 1, { file: event.name });
    },
    end: () => {
      if (started) view.stop();
      started = false;
    },
  };
}

/** Says what a run waits for or goes on with. */
function notes(stream: NodeJS.WriteStream): (event: MigrationEvent) => void {
  const isDue = nowAndThen(5000);
  return (event) => {
    const line = lineAbout(event);
    if (line !== undefined && isDue(event)) stream.write(`${line}\n`);
  };
}

function every(ms: number): () => boolean {
  let next = 0;
  return () => {
    const now = performance.now();
    if (now < next) return false;
    next = now + ms;
    return true;
  };
}

/** A wait is told at once, and then every ten seconds, however often the engine asks for the lock; batches likewise. */
function nowAndThen(everyMs: number): (event: MigrationEvent) => boolean {
  const isBatchDue = sparse(everyMs);
  const isReplicaDue = every(10_000);
  let next = 0;
  return (event) => {
    if (event.type === 'backfill') return isBatchDue(event);
    if (event.type === 'waiting-for-replica') return isReplicaDue();
    if (event.type !== 'waiting-for-lock') return true;
    if (event.ms < next) return false;
    next = event.ms + 10_000;
    return true;
  };
}
