import { parseArgs } from 'node:util';
import { GENERATION } from './usage-history.ts';

export const USAGE = `Usage: npm run bench [-- --quick] [-- --json] [-- --only NAME,NAME] [-- --rounds N] ...

  --quick      fewer rounds, no libraries of bench/peers: shows that the bench runs, not how fast anything is
  --json       one JSON object on stdout instead of the tables
  --only       workloads by name or by the beginning of one (W1, overhead, migrations, start-up, packages), separated by commas
  --only growth  the same work with 50,000 usage logs and with many; not part of a run of all
  --rows       how many these are; default 5,000,000, with --quick 100,000
  --rounds     how often every workload is run; default 30, more for narrower intervals
  --libraries  of W1 to W9, start-up and packages: these libraries and pg only, separated by commas
  --callers    W1 to W8 by so many callers too, separated by commas: 8,32,128
  --scale      of W1 to W9: tables so many times as long; default 1
  --growth     W1 to W8 on tables 1, 10 and 100 times as long, and by 1, 8, 32 and 128 callers, as a table for each; takes
               --only, --libraries, --rounds (default 9), and other sizes as --scale 1,10 and --callers 1,64
  --guard      W1 to W9 and deletions, in the short form: fails when a library of this repository is more than 1.5 times slower
               against pg than bench/comparison/recorded-ratios.json says, three times in a row
  --recorded   another file of recorded ratios for --guard and --record
  --profile    where the processor time of Tombstone, or of --libraries, goes in the workloads of --only
  --memory     what memory it takes to delete and to restore 100,000 rows and 1,000,000; with --quick 10,000 and 100,000
  --record     all of them, or those of --only, as --guard measures them, written to the file of recorded ratios
  --help       show this text
`;

export interface BenchArguments {
  readonly quick: boolean;
  readonly json: boolean;
  readonly help: boolean;
  readonly guard: boolean;
  /** Tables by the number of rows and by the number of callers. */
  readonly growth: boolean;
  readonly record: boolean;
  readonly profile: boolean;
  readonly memory: boolean;
  readonly rounds: number;
  /** Usage logs of the longer table in the workloads of growth. */
  readonly rows: number;
  /** Empty means all, and so for the libraries. */
  readonly only: readonly string[];
  readonly libraries: readonly string[];
  readonly callers: readonly number[];
  /** The first one of `scales`, which are several with `growth` only; ascending. */
  readonly scale: number;
  readonly scales: readonly number[];
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
      growth: { type: 'boolean', default: false },
      record: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      memory: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
      libraries: { type: 'string' },
      callers: { type: 'string' },
      scale: { type: 'string' },
      rounds: { type: 'string' },
      rows: { type: 'string' },
      recorded: { type: 'string' },
    },
  });
  const usual = defaultsOf(values);
  const scales = sizesOf('--scale', values.scale ?? usual.scale);
  if (scales.length > 1 && !values.growth)
    throw new TypeError('--scale takes several sizes with --growth only.');
  return {
    ...values,
    rounds: wholeNumber('--rounds', values.rounds ?? usual.rounds),
    rows: rowsOf(values.rows ?? (values.quick ? '100000' : '5000000')),
    scale: scales[0] ?? wholeNumber('--scale', ''),
    scales,
    callers: sizesOf('--callers', values.callers ?? usual.callers),
    only: listOf(values.only),
    libraries: listOf(values.libraries ?? usual.libraries),
  };
}

/** Of growth, what two cores do in ten minutes; in the short form, which installs no peers, in seconds. */
function defaultsOf({ growth, quick }: { growth: boolean; quick: boolean }) {
  const own = 'pg,mikro-plain,tombstone,tombstone-orm';
  if (!growth) return { rounds: '30', scale: '1', callers: '', libraries: '' };
  return quick
    ? { rounds: '2', scale: '1,2', callers: '1,4', libraries: own }
    : { rounds: '9', scale: '1,10,100', callers: '1,8,32,128', libraries: `${own},drizzle` };
}

/** Ascending, and each once. */
const sizesOf = (name: string, text: string): number[] =>
  [...new Set(listOf(text).map((size) => wholeNumber(name, size)))].toSorted((a, b) => a - b);

const listOf = (text: string): string[] => text.split(',').filter(Boolean);

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new TypeError(`${name} needs a whole number above 0.`);
  return number;
}

/** Whole generations, so that each of their users has as many logs. */
function rowsOf(text: string): number {
  const rows = Number(text);
  if (!Number.isInteger(rows / GENERATION.logs) || rows < 2 * GENERATION.logs)
    throw new TypeError('--rows needs a multiple of 50000 from 100000 on.');
  return rows;
}
