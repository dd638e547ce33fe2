import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { addBackstop } from './backstop.ts';
import { addDoctor } from './doctor.ts';
import { EXIT } from './exit-codes.ts';
import { addLiveParent } from './live-parent.ts';
import { addMigrate } from './migrate.ts';
import { withoutSecrets } from './secrets.ts';
import { refuseUrlArguments } from './target.ts';
import { addTrash } from './trash.ts';
import { verdict, withoutValues } from './verdict.ts';

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
  addLiveParent(command);
  addDoctor(command);
  addTrash(command);
  for (const each of everyCommand(command)) {
    each
      .exitOverride()
      .allowExcessArguments(false)
      .configureOutput({ outputError: (text, write) => write(withoutValues(text)) });
  }
  return command;
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** Runs the command line; sets the exit code instead of exiting, so that output is flushed. */
export async function main(argv: readonly string[]): Promise<void> {
  // The reader of a pipe may leave early, as head does; the run goes on, and the exit code tells how it ended.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  try {
    refuseUrlArguments(argv);
    await program().parseAsync([...argv], { from: 'user' });
  } catch (error) {
    process.exitCode = fail(error, argv);
  }
}

/** Tells people on standard error, and machines, where they asked for it, on standard output. */
function fail(error: unknown, argv: readonly string[]): number {
  // Help and version end that way too.
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.done;
  const { message, exitCode, document } = verdict(error);
  // The parser has printed its own sentence, and its trace would repeat the value of an unknown option.
  if (!(error instanceof CommanderError)) {
    process.stderr.write(`${message}\n`);
    if (argv.includes('--verbose')) process.stderr.write(withoutSecrets(traceOf(error), process.env));
  }
  if (argv.includes('--json')) process.stdout.write(`${JSON.stringify(document)}\n`);
  return exitCode;
}

function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const cause = traceOf(error.cause);
  return `${error.stack}\n${cause && `caused by ${cause}`}`;
}
