import { SingleBar } from 'cli-progress';
import type { MigrationEvent } from '../kit/migrations/index.ts';

/** Shows a run while it goes on. */
export interface Progress {
  tell(event: MigrationEvent): void;
  end(): void;
}

/** A bar on a terminal, a line per file elsewhere, nothing for machines. */
export function progressFor(stream: NodeJS.WriteStream, json: boolean): Progress {
  if (json) return { tell: () => undefined, end: () => undefined };
  return stream.isTTY ? bar(stream) : lines(stream);
}

function lines(stream: NodeJS.WriteStream): Progress {
  return {
    tell: (event) => {
      if (event.type === 'waiting-for-lock')
        stream.write(`waiting for another run, ${Math.round(event.ms / 1000)} s\n`);
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
  let started = false;
  return {
    tell: (event) => {
      if (event.type === 'waiting-for-lock') return;
      if (!started) view.start(event.total, 0, { file: event.name });
      started = true;
      view.update(event.type === 'start' ? event.index : event.index + 1, { file: event.name });
    },
    end: () => started && view.stop(),
  };
}
