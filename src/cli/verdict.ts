import { CommanderError } from 'commander';
import { MigrationError } from '../kit/migrations/index.ts';
import { EXIT, EXIT_OF, UsageError } from './exit-codes.ts';
import { REMEDIES } from './remedies.ts';
import { withoutSecrets } from './secrets.ts';

/** How a failed command ends: its sentence for people, its exit code, and its document for machines. */
export interface Verdict {
  readonly message: string;
  readonly exitCode: number;
  /** One object: `error`, beside what the command has found out all the same. */
  readonly document: object;
}

interface Facts {
  readonly code: string;
  readonly message: string;
  readonly exitCode: number;
  readonly [fact: string]: unknown;
}

/** Judges what a command has thrown. */
export function verdict(error: unknown): Verdict {
  if (error instanceof MigrationError) return ofEngine(error);
  if (error instanceof UsageError) return ofUsage(error.message, error.document);
  if (error instanceof CommanderError) return ofUsage(sentenceOf(error));
  const text = error instanceof Error ? error.message : String(error);
  const reason = withoutSecrets(text.split('\n')[0] ?? '', process.env);
  const message = `Unexpected: ${reason}. Run it again with --verbose for the stack trace.`;
  const document = { error: { code: 'CLI.UNEXPECTED', message, exitCode: EXIT.failed } };
  return { message, exitCode: EXIT.failed, document };
}

function ofEngine(error: MigrationError): Verdict {
  const facts = factsOf(error);
  return { message: error.message, exitCode: facts.exitCode, document: { error: facts } };
}

/** What machines are told of an error of the engine, thrown or found. */
export function factsOf({ code, message, file, details }: MigrationError): Facts {
  return { code, message, exitCode: EXIT_OF[code], remedy: REMEDIES[code], file, ...details };
}

function ofUsage(message: string, document: object = {}): Verdict {
  const exitCode = EXIT.usage;
  return { message, exitCode, document: { ...document, error: { code: 'CLI.USAGE', message, exitCode } } };
}

function sentenceOf({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'The command is not complete; --help lists what there is.';
  return withoutValues(message).replace(/^error: /, '');
}

/** An unknown option is repeated without its value, which may be a password. */
export function withoutValues(text: string): string {
  return text.replace(/(unknown option '(?:-[^-']|[^'=]+=)).+'/s, "$1...'");
}
