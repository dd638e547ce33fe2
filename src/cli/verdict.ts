import { CommanderError } from 'commander';
import { MigrationError } from '../kit/migrations/index.ts';
import { DELETION_EXITS, type DeletionExit } from './deletion-exits.ts';
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
  if (isDataError(error)) return ofData(error);
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

/** By their shape, because their classes would load the ORM for every command. */
interface DataFailure extends Error {
  readonly code: string;
  readonly status?: number;
  readonly sqlState?: string;
  readonly constraint?: string;
  readonly batch?: string;
  readonly preview?: object;
}

function isDataError(error: unknown): error is DataFailure {
  if (!(error instanceof Error)) return false;
  const { code, status, retryable } = error as Partial<DataFailure & { retryable: boolean }>;
  if (typeof code !== 'string') return false;
  return code in DELETION_EXITS || (typeof status === 'number' && typeof retryable === 'boolean');
}

function ofData(error: DataFailure): Verdict {
  const { code, sqlState, constraint, batch, preview } = error;
  const own = DELETION_EXITS[code as keyof typeof DELETION_EXITS] as DeletionExit | undefined;
  const exitCode = own?.exit ?? exitOf(error);
  const remedy = own?.remedy;
  const facts = { code, message: error.message, exitCode, remedy, sqlState, constraint, batch, preview };
  const message = remedy === undefined ? error.message : `${error.message}\nOn the command line: ${remedy}.`;
  return { message, exitCode, document: { error: facts } };
}

function exitOf({ code, status, sqlState }: DataFailure): number {
  if (sqlState?.startsWith('28')) return EXIT_OF['MIGRATION.WRONG_PASSWORD'];
  if (sqlState === '3D000') return EXIT_OF['MIGRATION.NO_DATABASE'];
  if (code === 'DATA.UNAVAILABLE') return EXIT_OF['MIGRATION.UNREACHABLE'];
  return status === 409 ? DELETION_EXITS['DELETION.RESTORE_CONFLICT'].exit : EXIT.failed;
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
