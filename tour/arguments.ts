import { parseArgs } from 'node:util';

export const USAGE = `Usage: npm start [-- --keep]

  --keep   leave the server up after the tour and print its URL
  --help   show this text

DATABASE_URL, when set, names the server to use (a database of its own is made there);
otherwise an embedded PostgreSQL is started.
`;

export interface TourArguments {
  readonly keep: boolean;
  readonly help: boolean;
}

/** @throws TypeError with a sentence for the user when an argument is not known. */
export function readArguments(argv: readonly string[]): TourArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: { keep: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  return { keep: values.keep, help: values.help };
}
