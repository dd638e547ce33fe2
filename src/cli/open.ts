import type { Command } from 'commander';
import { Migrator } from '../kit/migrations/index.ts';
import { readModules } from './configuration.ts';
import { type Progress, progressFor } from './progress.ts';
import { everyMs } from './statement-progress.ts';
import { readTarget, type Target } from './target.ts';
import { variablesOf } from './variables.ts';

/** What every command takes. */
export interface CommonOptions {
  readonly config?: string;
  readonly json?: boolean;
  readonly allowRawValues?: boolean;
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
    .option('--json', 'one JSON object on standard output, nothing else')
    .option('--verbose', 'with a failure, print the stack trace too');
}

/** Adds the option of commands that run files. */
export function running(command: Command): Command {
  return common(command).option(
    '--allow-raw-values',
    'let values of ENVSUB files stand outside quotes, whatever they are',
  );
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
    variables: variablesOf(process.env, options.allowRawValues),
  });
  return { target, migrator, progress };
}

/** A line on standard output. */
export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
