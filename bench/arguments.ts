import { parseArgs } from 'node:util';
import { GENERATION } from './usage-history.ts';

export const USAGE = `Usage: npm run bench [-- --quick] [-- --json] [-- --only NAME,NAME] [-- --rounds N]

  --quick   fewer rounds: shows that the bench runs, not how fast anything is
  --json    one JSON object on stdout instead of the table
  --only    workloads by name or by the beginning of one (overhead, migrations), separated by commas
  --only growth  the same work with 50,000 usage logs and with many; not part of a run of all
  --rows    how many these are; default 5,000,000, with --quick 200,000
  --rounds  how often every workload is run; default 30, more for narrower intervals
  --help    show this text
`;

export interface BenchArguments {
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly rounds: number;
  /** Usage logs of the longer table in the workloads of growth. */
  readonly rows: number;
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
      rows: { type: 'string' },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new TypeError('--rounds needs a whole number above 0.');
  const rows = Number(values.rows ?? (values.quick ? 200_000 : 5_000_000));
  // Whole generations, so that each of their users has as many logs.
  if (!Number.isInteger(rows / GENERATION.logs) || rows < 2 * GENERATION.logs)
    throw new TypeError('--rows needs a multiple of 50000 from 100000 on.');
  return { ...values, rounds, rows, only: values.only.split(',').filter(Boolean) };
}
