import { SingleBar } from 'cli-progress';
import type { AdoptProgress } from '../kit/migrations/index.ts';
import { lineAbout } from './event-lines.ts';
import type { Streams } from './progress.ts';

/** Shows an adoption while it goes on. */
export interface AdoptionView {
  tell(event: AdoptProgress): void;
  end(): void;
}

/** A bar on a terminal, a line a step elsewhere; for machines one JSON object a line on standard error. */
export function adoptionProgress({ stdout, stderr }: Streams, json: boolean): AdoptionView {
  if (json) return { tell: (event) => stderr.write(`${JSON.stringify(event)}\n`), end: () => undefined };
  return stdout.isTTY ? bar(stdout) : lines(stdout);
}

function lines(stream: NodeJS.WriteStream): AdoptionView {
  return {
    tell: (event) => {
      const line = lineOf(event);
      if (line !== undefined) stream.write(`${line}\n`);
    },
    end: () => undefined,
  };
}

function lineOf(event: AdoptProgress): string | undefined {
  if (event.type === 'adoption-step') return `step ${event.index + 1}/${event.total} ${event.text}`;
  if (event.type === 'adoption-rows') return undefined;
  return lineAbout(event);
}

/** The steps of the plan, and behind them how many rows the step has gone through. */
function bar(stream: NodeJS.WriteStream): AdoptionView {
  const view = new SingleBar({
    stream,
    format: '{bar} {value}/{total} {text}',
    clearOnComplete: false,
    noTTYOutput: false,
  });
  let started = false;
  return {
    tell: (event) => {
      if (event.type === 'adoption-step') {
        if (!started) view.start(event.total, 0, { text: '' });
        started = true;
        view.update(event.index, { text: event.text });
      } else if (event.type === 'adoption-rows') {
        const of = event.estimate === undefined ? '' : ` of about ${event.estimate}`;
        view.update({ text: `${event.text}: ${event.rows}${of} rows` });
      } else {
        const text = lineAbout(event);
        if (text !== undefined && started) view.update({ text });
      }
    },
    end: () => {
      if (started) view.stop();
      started = false;
    },
  };
}
