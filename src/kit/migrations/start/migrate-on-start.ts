import { setTimeout as sleep } from 'node:timers/promises';
import { MigrationError } from '../errors.ts';
import { Migrator } from '../migrator.ts';
import type { MigratorOptions } from '../options.ts';

/**
 * What a service does about migrations when it starts. `off`: nothing, it does not even connect. `verify`: fail when anything is
 * pending or edited. `wait`: until somebody else has applied everything. `apply`: apply it, under the lock.
 */
export const START_MODES = ['off', 'verify', 'wait', 'apply'] as const;
export type StartMode = (typeof START_MODES)[number];

export interface StartOptions extends MigratorOptions {
  /** One of {@link START_MODES}, as text from the environment too; undefined and empty are `off`. */
  readonly mode: string | undefined;
  /** How long `wait` waits, in milliseconds. Default 10 minutes. */
  readonly waitTimeoutMs?: number;
  /** How often `wait` looks, in milliseconds. Default 1 second. */
  readonly waitPollMs?: number;
  /** Called at each look of `wait` with the files that are pending; undefined while the server does not answer. */
  onPending?(pending: readonly string[] | undefined): void;
  /** Ends waiting with its reason, for a service that is told to stop. `apply` is never interrupted. */
  readonly signal?: AbortSignal;
}

/** What happened. */
export interface StartResult {
  readonly mode: StartMode;
  /** Files that this call has applied. */
  readonly applied: readonly string[];
}

/**
 * Brings a service and its database together before it serves. It does nothing unless a mode asks for it.
 *
 * @throws MigrationError `MIGRATION.PENDING` when `verify` finds pending files, or `wait` still does at its end; else as
 *   `Migrator`.
 * @throws RangeError for a mode that there is not: a misspelt one must not be taken for `off`.
 */
export async function migrateOnStart(options: StartOptions): Promise<StartResult> {
  const mode = modeOf(options.mode);
  if (mode === 'off') return { mode, applied: [] };
  const migrator = new Migrator(options);
  if (mode === 'apply') {
    const { steps } = await migrator.up();
    return { mode, applied: steps.map(({ name }) => name) };
  }
  if (mode === 'verify') {
    const pending = await pendingOf(migrator);
    if (pending.length > 0)
      throw stillPending(pending, 'Apply them with "tombstone migrate up", then start.');
  } else await wait(migrator, options);
  return { mode, applied: [] };
}

function modeOf(text: string | undefined): StartMode {
  if (text === undefined || text === '') return 'off';
  const mode = START_MODES.find((each) => each === text);
  if (mode) return mode;
  throw new RangeError(
    `There is no mode ${JSON.stringify(text)} for the start. Write one of ${START_MODES.join(', ')}.`,
  );
}

async function pendingOf(migrator: Migrator): Promise<string[]> {
  await migrator.verify();
  return (await migrator.status()).flatMap(({ state, name }) => (state === 'pending' ? name : []));
}

async function wait(migrator: Migrator, options: StartOptions): Promise<void> {
  const { waitTimeoutMs = 600_000, waitPollMs = 1000, signal, onPending } = options;
  const deadline = performance.now() + waitTimeoutMs;
  for (;;) {
    signal?.throwIfAborted();
    const pending = await look(migrator, performance.now() >= deadline);
    if (pending?.length === 0) return;
    onPending?.(pending);
    if (pending && performance.now() >= deadline)
      throw stillPending(pending, 'Look whether the run that should apply them has failed.');
    await sleep(waitPollMs, undefined, { signal });
  }
}

/** A server that starts beside the service is waited for too. */
async function look(migrator: Migrator, isLast: boolean): Promise<string[] | undefined> {
  try {
    return await pendingOf(migrator);
  } catch (error) {
    if (!isLast && error instanceof MigrationError && error.code === 'MIGRATION.UNREACHABLE')
      return undefined;
    throw error;
  }
}

function stillPending(pending: readonly string[], remedy: string): MigrationError {
  const [first = ''] = pending;
  const files = pending.length === 1 ? `${first} is` : `${pending.length} files, from ${first} on, are`;
  return new MigrationError('MIGRATION.PENDING', `${files} not applied. ${remedy}`, first, { pending });
}
