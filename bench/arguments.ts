import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run bench [-- --quick] [-- --json] [-- --only NAME,NAME] [-- --rounds N] ...

  --quick      fewer rounds, no libraries of bench/peers: shows that the bench runs, not how fast anything is
  --json       one JSON object on stdout instead of the tables
  --only       workloads by name or by the beginning of one (W1, overhead, migrations, start-up, packages), separated by commas
  --rounds     how often every workload is run; default 30, more for narrower intervals
  --libraries  of W1 to W9, start-up and packages: these libraries and pg only, separated by commas
  --callers    W1 to W8 by so many callers too, separated by commas: 8,32,128
  --scale      of W1 to W9: tables so many times as long; default 1
  --guard      W1 to W9 only, in the short form: fails when a library of this repository is more than 1.5 times slower
               against pg than bench/comparison/recorded-ratios.json says, three times in a row
  --recorded   another file of recorded ratios for --guard and --record
  --record     W1 to W9 as --guard measures them, written to the file of recorded ratios
  --help       show this text
`;

export interface BenchArguments {
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly guard: boolean;
  readonly record: boolean;
  readonly rounds: number;
  /** Empty means all, and so for the libraries. */
  readonly only: readonly string[];
  readonly libraries: readonly string[];
  readonly callers: readonly number[];
  readonly scale: number;
  readonly recorded?: string;
}

/** @throws TypeError with a sentence for the user when an argument is not known. */
export function readArguments(argv: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      guard: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      libraries: { type: 'string', default: '' },
      callers: { type: 'string', default: '' },
      scale: { type: 'string', default: '1' },
      rounds: { type: 'string', default: '30' },
      recorded: { type: 'string' },
    },
  });
  return {
    ...values,
    rounds: wholeNumber('--rounds', values.rounds),
    scale: wholeNumber('--scale', values.scale),
    callers: listOf(values.callers).map((count) => wholeNumber('--callers', count)),
    only: listOf(values.only),
    libraries: listOf(values.libraries),
  };
}

const listOf = (text: string): string[] => text.split(',').filter(Boolean);

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new TypeError(`${name} needs a whole number above 0.`);
  return number;
}
