import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { MigrationError } from '../kit/migrations/index.ts';
import { addBackstop } from './backstop.ts';
import { EXIT, EXIT_OF, UsageError } from './exit-codes.ts';
import { addMigrate } from './migrate.ts';
import { withoutSecrets } from './secrets.ts';
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
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong usage (nothing was touched); "tombstone migrate --help" lists all.',
    );
  addMigrate(command);
  addBackstop(command);
  for (const each of everyCommand(command)) {
    each.exitOverride().allowExcessArguments(false).configureOutput({ outputError: withoutValues });
  }
  return command;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** An unknown option is repeated without its value, which may be a password. */
function withoutValues(text: string, write: (text: string) => void): void {
  write(text.replace(/(unknown option '(?:-[^-']|[^'=]+=)).+'/s, "$1...'"));
}

/** The message of an error, and the exit code that goes with it. */
function verdict(error: unknown): { message: string; exitCode: number } {
  if (error instanceof UsageError) return { message: error.message, exitCode: EXIT.usage };
  if (error instanceof MigrationError) return { message: error.message, exitCode: EXIT_OF[error.code] };
  const message = error instanceof Error ? error.message : String(error);
  return {
    message: `Unexpected: ${withoutSecrets(message.split('\n')[0] ?? '', process.env)}. Run it again with --verbose for the stack trace.`,
    exitCode: EXIT.failed,
  };
}

/** Runs the command line; sets the exit code instead of exiting, so that output is flushed. */
export async function main(argv: readonly string[]): Promise<void> {
  // The reader of a pipe may leave early, as head does; the run goes on, and the exit code tells how it ended.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
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
    if (argv.includes('--verbose')) process.stderr.write(withoutSecrets(traceOf(error), process.env));
    process.exitCode = exitCode;
  }
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const cause = traceOf(error.cause);
  return `${error.stack}\n${cause && `caused by ${cause}`}`;
}
