import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run load [-- --seconds N] [--callers N] [--processes N] [--connections N] [--seed N] [--quick] [--json]

Mixes what a gateway does (authentication, choice of an account, charges, statistics, administration) from real processes with
pools of their own, and then compares what the callers were told with what the database holds. Exit code 1 when a call failed
with an error that is no answer of the gateway, or an invariant does not hold.

  --seconds      how long it is measured, 1 to 900; 60 when left out. A warm-up comes before it, of a sixth, at most 5 s
  --callers      how many call at the same time, in all processes together, 1 to 256; 32 when left out
  --processes    1 to 8; 2 when left out, the fewest whose calls nothing in one program's memory puts in an order
  --connections  in all processes together, up to 256; as many as callers when left out
  --seed         repeats the choices of an earlier run; what runs at the same time stays up to the machine
  --quick        a small data set: shows that the load runs, not how fast anything is
  --json         one JSON object on standard output, nothing else
  --help         show this text

DATABASE_URL names a running server, on which a database is made and dropped again; without it one is started.
`;

/** What a run is asked for; counts are those of all processes together. */
export interface LoadOptions {
  readonly seconds: number;
  readonly callers: number;
  readonly processes: number;
  readonly connections: number;
  readonly seed: number;
  readonly quick: boolean;
}

export interface LoadArguments extends LoadOptions {
  readonly json: boolean;
  readonly help: boolean;
}

const LARGEST_SEED = 4_294_967_295;

/** @throws TypeError with a sentence for the user when an argument is not known or does not fit. */
export function readArguments(argv: readonly string[]): LoadArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      seconds: { type: 'string', default: '60' },
      callers: { type: 'string', default: '32' },
      processes: { type: 'string' },
      connections: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const { quick, json, help } = values;
  const callers = wholeNumber('callers', values.callers, 1, 256);
  const processes = wholeNumber('processes', values.processes ?? String(Math.min(2, callers)), 1, 8);
  if (processes > callers) {
    throw new TypeError(
      `--callers needs to be at least --processes. Give each of the ${processes} a caller.`,
    );
  }
  return {
    seconds: wholeNumber('seconds', values.seconds, 1, 900),
    callers,
    processes,
    connections: wholeNumber('connections', values.connections ?? String(callers), processes, 256),
    seed: wholeNumber('seed', values.seed, 0, LARGEST_SEED),
    quick,
    json,
    help,
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  throw new TypeError(
    `--${name} needs a whole number from ${least} to ${most}. Correct it, or leave it out.`,
  );
}

/** The part of one process of what all have together; the first ones take what does not divide. */
export function shareOf(all: number, processes: number, index: number): number {
  return Math.floor(all / processes) + (index < all % processes ? 1 : 0);
}
