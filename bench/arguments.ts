import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run bench [-- --quick] [-- --json] [-- --only NAME,NAME] [-- --rounds N]

  --quick   fewer rounds: shows that the bench runs, not how fast anything is
  --json    one JSON object on stdout instead of the table
  --only    workloads by name or by the beginning of one (overhead, migrations), separated by commas
  --rounds  how often every workload is run; default 30, more for narrower intervals
  --help    show this text
`;

export interface BenchArguments {
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly rounds: number;
  /** Empty means all. */
  readonly only: readonly string[];
}

/** @throws TypeError with a sentence for the user when an argument is not known. */
export function readArguments(argv: readonly string[]): BenchArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      rounds: { type: 'string', default: '30' },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds needs a whole number above 0.');
  return { ...values, rounds, only: values.only.split(',').filter(Boolean) };
}
