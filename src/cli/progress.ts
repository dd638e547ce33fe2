import { SingleBar } from 'cli-progress';
import type { MigrationEvent } from '../kit/migrations/index.ts';
import { describeStatement } from './statement-progress.ts';

/** Shows a run while it goes on. */
export interface Progress {
  tell(event: MigrationEvent): void;
  end(): void;
}

/** A bar on a terminal, a line per file elsewhere; for machines nothing but a line of JSON on stderr while a statement takes long. */
export function progressFor(stream: NodeJS.WriteStream, json: boolean): Progress {
  if (json) return { tell: tellMachine, end: () => undefined };
  return stream.isTTY ? bar(stream) : lines(stream);
}

function tellMachine(event: MigrationEvent): void {
  if (event.type === 'statement-progress') process.stderr.write(`${JSON.stringify(event)}\n`);
}

function lines(stream: NodeJS.WriteStream): Progress {
  const wait = waitingLine(stream);
  return {
    tell: (event) => {
      if (event.type === 'waiting-for-lock') wait(event.ms);
      if (event.type === 'note') stream.write(noteLine(event));
      if (event.type === 'statement-progress') stream.write(`${event.name}: ${describeStatement(event)}\n`);
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
  const wait = waitingLine(stream);
  let started = false;
  return {
    tell: (event) => {
      if (event.type === 'waiting-for-lock') return wait(event.ms);
      if (event.type === 'note') return void stream.write(noteLine(event));
      if (event.type === 'statement-progress')
        return view.update({ file: `${event.name} ${describeStatement(event)}` });
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

function noteLine({ file, line, text }: Extract<MigrationEvent, { type: 'note' }>): string {
  return `note: ${file}${line === undefined ? '' : `:${line}`}: ${text}\n`;
}

/** Says at once that the run waits, and then every ten seconds, however often the engine asks for the lock. */
function waitingLine(stream: NodeJS.WriteStream): (ms: number) => void {
  let next = 0;
  return (ms) => {
    if (ms < next) return;
    next = ms + 10_000;
    stream.write(`waiting for another run to end, ${Math.round(ms / 1000)} s so far\n`);
  };
}
