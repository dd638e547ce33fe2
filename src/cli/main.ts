import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { MigrationError } from '../kit/migrations/index.ts';
import { EXIT, UsageError } from './exit-codes.ts';
import { addMigrate } from './migrate.ts';
import { refuseUrlArguments } from './target.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

function program(): Command {
  const command = new Command('tombstone')
    .description('Soft delete and migrations for PostgreSQL')
    .version(version)
    .option('--verbose', 'with a failure, print the stack trace too')
    .showHelpAfterError('(--help lists what there is)')
    .addHelpText('after', '\nExit codes: 0 done, 1 failed, 2 wrong usage (nothing was touched).');
  addMigrate(command);
  for (const each of everyCommand(command)) each.exitOverride().allowExcessArguments(false);
  return command;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** The message of an error, and the exit code that goes with it. */
function verdict(error: unknown): { message: string; exitCode: number } {
  if (error instanceof UsageError) return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof MigrationError) {
    const isUsage = error.code === 'MIGRATION.BAD_URL';
    return { message: error.message, exitCode: isUsage ? EXIT.usage : EXIT.failed };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    message: `Unexpected: ${message.split('\n')[0]}. Run it again with --verbose for the stack trace.`,
    exitCode: EXIT.failed,
  };
}

/** Runs the command line; sets the exit code instead of exiting, so that output is flushed. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    refuseUrlArguments(argv);
    await program().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) {
      // It has printed its own sentence; help and version end that way too, with 0.
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
      return;
    }
    const { message, exitCode } = verdict(error);
    process.stderr.write(`${message}\n`);
    if (argv.includes('--verbose') && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = exitCode;
  }
}
