import { describeTarget } from '../kit/migrations/index.ts';
import { UsageError } from './exit-codes.ts';

/** Where the command works: the URL for the driver, and the same without its password for people. */
export interface Target {
  readonly url: string;
  readonly shown: string;
}

/**
 * Reads the target from the environment, and only from there: arguments are visible to every user of the machine.
 *
 * @throws UsageError when DATABASE_URL is missing.
 */
export function readTarget(environment: NodeJS.ProcessEnv): Target {
  const url = environment['DATABASE_URL'];
  if (!url) {
    throw new UsageError(
      'DATABASE_URL is not set. Set it to postgresql://user:password@host:5432/database in the environment; it is never an argument.',
    );
  }
  return { url, shown: describeTarget(url) };
}

/** @throws UsageError for an argument that holds credentials; they are not repeated. */
export function refuseUrlArguments(argv: readonly string[]): void {
  if (argv.some((argument) => /postgres(ql)?:\/\//i.test(argument))) {
    throw new UsageError(
      'A database URL is not taken as an argument, because others can read it there. Set DATABASE_URL.',
    );
  }
}
