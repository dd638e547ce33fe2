import { MigrationError } from '../kit/migrations/index.ts';
import { UsageError } from './exit-codes.ts';

/** Names an empty database for the commands that rebuild, where the role of DATABASE_URL may not create one. */
export const SCRATCH_VARIABLE = 'SCRATCH_DATABASE_URL';

/**
 * @returns undefined when a scratch database is to be made on the server of DATABASE_URL.
 * @throws UsageError when it is the target itself.
 */
export function readScratch(environment: NodeJS.ProcessEnv): string | undefined {
  const url = environment[SCRATCH_VARIABLE] || undefined;
  if (url === undefined || url !== environment['DATABASE_URL']) return url;
  throw new UsageError(
    `${SCRATCH_VARIABLE} is DATABASE_URL. Name an empty database: it is emptied afterwards.`,
  );
}

/** Names a server whose clock shows another day, for `rebuild`. */
export function readClock(environment: NodeJS.ProcessEnv): string | undefined {
  return environment['CLOCK_DATABASE_URL'] || undefined;
}

/**
 * Aborts when the command is told to stop, so that its scratch database goes before it does. In a database of the caller's the
 * command is simply ended.
 */
export function untilStopped(scratch?: string): AbortSignal | undefined {
  if (scratch !== undefined) return undefined;
  const ending = new AbortController();
  const stop = (): void =>
    ending.abort(
      new MigrationError('MIGRATION.SCRATCH', 'Interrupted; the scratch database is dropped. Run again.'),
    );
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
  return ending.signal;
}
