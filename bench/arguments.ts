import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm run bench [-- --quick] [-- --json] [-- --only NAME,NAME]

  --quick   fewer rounds: shows that the bench runs, not how fast anything is
  --json    one JSON object on stdout instead of the table
  --only    workloads by name or by the beginning of one (overhead), separated by commas
  --help    show this text
`;

export interface BenchArguments {
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
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
    },
  });
  return { ...values, only: values.only.split(',').filter(Boolean) };
}
