import type { Command } from 'commander';
import { Migrator } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { UsageError } from './exit-codes.ts';
import { type Progress, progressFor } from './progress.ts';
import { everyMs } from './statement-progress.ts';
import { readTarget, type Target } from './target.ts';
import { variablesOf } from './variables.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly allowRawValues?: boolean;
  readonly lockTimeout?: number;
}

/** The target of a command, and the engine for it. */
export interface Opened {
  readonly target: Target;
  readonly migrator: Migrator;
  readonly progress: Progress;
}

/** Adds the options that every command takes. */
export function common(command: Command): Command {
  return command
    .option('--config <file>', 'the configuration; mikro-orm.config.ts, .js or .mjs here when left out')
    .option('--json', 'one JSON object on standard output, nothing else; of a failure too')
    .option('--verbose', 'with a failure, print the stack trace too');
}

/** Adds the option of commands that run files. */
export function running(command: Command): Command {
  return common(command).option(
    '--allow-raw-values',
    'let values of ENVSUB files stand outside quotes, whatever they are',
  );
}

/** Adds the option of commands that take the lock of migrations. */
export function locking(command: Command): Command {
  const about = 'how long to wait for another run to end, as 30s or 5min; 10min when left out';
  return command.option('--lock-timeout <time>', about, milliseconds);
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 };

function milliseconds(text: string): number {
  const [, amount, unit = ''] = /^(\d{1,6})(ms|s|min)$/.exec(text) ?? [];
  if (amount !== undefined) return Number(amount) * (UNITS[unit] ?? 1);
  throw new UsageError('--lock-timeout takes a time with its unit: 500ms, 30s, 5min.');
}

/**
 * Reads environment and configuration. Nothing connects yet.
 *
 * @param announce called with the target for people before anything else is printed.
 * @throws UsageError
 */
export async function open(
  options: CommonOptions,
  announce: (shown: string) => void = () => undefined,
): Promise<Opened> {
  const target = readTarget(process.env);
  const modules = await readModules(options.config);
  announce(target.shown);
  const progress = progressFor(process, options.json === true);
  const migrator = new Migrator({
    connection: target.url,
    modules,
    onProgress: (event) => progress.tell(event),
    statementProgressMs: everyMs(process.stdout),
    ...(options.lockTimeout !== undefined && { lockTimeoutMs: options.lockTimeout }),
    variables: variablesOf(process.env, options.allowRawValues),
  });
  return { target, migrator, progress };
}

/** A line on standard output. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
