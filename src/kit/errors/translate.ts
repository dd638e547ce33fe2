import type { DataError } from './data-error.ts';
import { isDataError } from './data-error.ts';
import type { DomainError, DomainErrors } from './domain-errors.ts';
import { isError } from './is-error.ts';
import { liveParentRefusal } from './live-parent-refusal.ts';
import { type DriverErrorLike, DriverErrorSummary, rememberDriverError } from './driver-error-summary.ts';
import { CONFLICT, LOST_RACE, type Refusal, refusalOf, ROLLED_BACK } from './sqlstate.ts';

/** Conditions whose primary message names objects of the schema only, so that a developer may see it. */
const NAMES_OBJECTS_ONLY = new Set(['42703', '42P01', '42702', '42883', '42704']);

/**
 * Turns an error of the driver into a {@link DataError}. An error that is one already, or that does not come from the
 * database (a `TypeError`), is returned as it is.
 */
export function translateDriverError(error: unknown, domain: DomainErrors): Error {
  if (!isError(error)) return new Error(String(error));
  if (isDataError(error)) return error;
  const original = firstOf(error);
  const refusal = refusalOf(original);
  return refusal ? build(original, refusal, domain) : error;
}

/** The error of a transaction that could not be committed because of `cause`, which the program had caught. */
export function rolledBack(cause?: unknown): Error {
  return ownRefusal(ROLLED_BACK, cause);
}

/** The error of work that concurrent transactions have overtaken, although no statement of it was refused. */
export function lostRace(cause?: unknown): Error {
  return ownRefusal(LOST_RACE, cause);
}

/** The error of a key that a row holds which the statement could neither change nor pass over. */
export function keyIsTaken(): Error {
  return ownRefusal(CONFLICT);
}

function ownRefusal({ type, code, sentence }: Refusal, cause?: unknown): Error {
  const error = new type(new Error(sentence));
  return Object.assign(error, { name: type.name, code, cause });
}

/** What PostgreSQL says when it ends a session: an administrator, a shutdown, a crash, and the timeouts of a session. */
const LAST_WORDS = new Set(['57P01', '57P02', '57P03', '57P05', '25P03', '25P04']);

/**
 * Whether the driver's error means that the session takes no statement any more: it has ended, or is silent. A statement may
 * give the states of class 08 too, and its session lives on: `dblink` says so of another server.
 */
export function isSessionOver(error: unknown): boolean {
  if (!isError(error)) return false;
  const { code, severity } = error as DriverErrorLike;
  if (isSqlState(code)) return severity === 'FATAL' || severity === 'PANIC' || LAST_WORDS.has(code ?? '');
  return refusalOf(error) !== undefined;
}

/** A refused connection to a name with several addresses arrives as one error that holds one per address. */
function firstOf(error: Error): DriverErrorLike {
  const [inner]: unknown[] = (error as Partial<AggregateError>).errors ?? [];
  return isError(inner) ? inner : error;
}

function build(original: DriverErrorLike, refusal: Refusal, domain: DomainErrors): DataError {
  const known = meaningOf(original, domain);
  const error = new refusal.type(withoutValues(original, known?.message ?? sentenceFor(original, refusal)));
  error.name = refusal.type.name;
  Object.assign(error, {
    code: known?.code ?? codeOf(original, refusal, domain),
    status: known?.status ?? error.status,
    sqlState: isSqlState(original.code) ? original.code : undefined,
    cause: new DriverErrorSummary(original),
  });
  rememberDriverError(error, original);
  return error;
}

/** A module may say something of its own about any constraint. */
function meaningOf(original: DriverErrorLike, { constraints }: DomainErrors): DomainError | undefined {
  const own = original.constraint ? constraints[original.constraint] : undefined;
  return own ?? liveParentRefusal(original);
}

/** Only a refused value has a code of the module: the kit itself asks for its other codes. */
function codeOf(original: DriverErrorLike, refusal: Refusal, domain: DomainErrors): string {
  const own = refusal.code === 'DATA.INVALID' ? domain.invalid?.[original.code ?? ''] : undefined;
  return own ?? refusal.code;
}

function sentenceFor(original: DriverErrorLike, refusal: Refusal): string {
  const names = [
    original.constraint && `constraint ${original.constraint}`,
    original.column && `column ${original.table ?? '?'}.${original.column}`,
    refusal.code === 'DATA.BACKSTOP' && `table ${original.schema}.${original.table}`,
    isSqlState(original.code) && `SQLSTATE ${original.code}`,
    nameOfObject(original),
  ].filter(Boolean);
  return names.length > 0 ? `${refusal.sentence} (${names.join(', ')})` : refusal.sentence;
}

/** A value in the wrong quotes is a name to PostgreSQL, so only what looks like a name is repeated. */
function nameOfObject({ code, message }: DriverErrorLike): string | undefined {
  const [line = ''] = message.split('\n');
  return code && NAMES_OBJECTS_ONLY.has(code) && /^[\w\s.,()"]+$/.test(line) ? line : undefined;
}

function isSqlState(code: string | undefined): boolean {
  return /^[0-9A-Z]{5}$/.test(code ?? '') && !/^E[A-Z]{4}$/.test(code ?? '');
}

/** MikroORM's exceptions copy every field of the error that they refine: hand them one that holds no value of a row. */
function withoutValues(original: DriverErrorLike, message: string): Error {
  const safe = new Error(message);
  const frames = (original.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  safe.stack = [`Error: ${message}`, ...frames].join('\n');
  const { constraint, table, schema, column } = original;
  return Object.assign(safe, { constraint, table, schema, column });
}
