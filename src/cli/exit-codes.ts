/** What the exit code of the command tells. */
export const EXIT = {
  done: 0,
  /** The migrations, the database or its data refused. */
  failed: 1,
  /** The command line, the environment or the configuration is wrong; the database was not touched. */
  usage: 2,
} as const;

/** A mistake in how the command was called. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
