import { SingleBar } from 'cli-progress';
import { describeBackfill, jsonLines, sparse } from './backfill-progress.ts';
import { describeHolder, type MigrationEvent } from '../kit/migrations/index.ts';

/** Shows a run while it goes on. */
export interface Progress {
  tell(event: MigrationEvent): void;
  end(): void;
}

/** A bar on a terminal, a line per file elsewhere; for machines, where a back-fill stands, on standard error. */
export function progressFor(stream: NodeJS.WriteStream, json: boolean): Progress {
  if (json) return { tell: jsonLines(process.stderr), end: () => undefined };
  return stream.isTTY ? bar(stream) : lines(stream);
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

/** Says what a run waits for or goes on with; a wait at once, and then every ten seconds, however often the engine asks. */
function notes(stream: NodeJS.WriteStream): (event: MigrationEvent) => void {
  let next = 0;
  const isDue = sparse(5000);
  return (event) => {
    if (event.type === 'backfill' && !isDue(event)) return;
    if (event.type === 'waiting-for-lock') {
      if (event.ms < next) return;
      next = event.ms + 10_000;
    }
    const note = noteOn(event);
    if (note) stream.write(`${note}\n`);
  };
}

function noteOn(event: MigrationEvent): string | undefined {
  switch (event.type) {
    case 'waiting-for-lock': {
      const who = event.holder ? `: ${describeHolder(event.holder)}` : '';
      return `waiting for another run to end, ${Math.round(event.ms / 1000)} s so far${who}`;
    }
    case 'retrying':
      return `no lock for ${event.name} [${event.sqlState}], attempt ${event.attempt} of ${event.of}; again in ${Math.round(event.pauseMs)} ms`;
    case 'resuming':
      return `${event.name} was begun by an earlier run; going on with statement ${event.statement} of ${event.of}`;
    case 'removed-remains':
      return `${event.name}: dropped the invalid index ${event.index} that a failed build had left; building it again`;
    case 'backfill':
      return describeBackfill(event);
    default:
      return undefined;
  }
}
