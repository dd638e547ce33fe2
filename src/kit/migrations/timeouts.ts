import { MigrationSyntaxError } from './errors.ts';
import { tokens, UnterminatedError } from './lexer.ts';
import { positionsOf } from './position.ts';

/** How long statements wait and run, and how often a file that got no lock is tried again. */
export interface TimeoutOptions {
  /** `lock_timeout` of everything but concurrent builds, in milliseconds. Default 3 seconds; 0 waits for ever. */
  readonly lockMs?: number;
  /** `statement_timeout` of everything but concurrent builds, in milliseconds. Default 0, no limit. */
  readonly statementMs?: number;
  /** How often a file is tried that got no lock in time, or was the victim of a deadlock. Default 10. */
  readonly attempts?: number;
  /** The pause before the second attempt, in milliseconds; it doubles each time, up to 10 seconds. Default 500. */
  readonly backOffMs?: number;
}

export type Timeouts = Required<TimeoutOptions>;

/** What a file asks for itself, by `-- +tombstone lock_timeout=10s`. */
export type FileTimeouts = Pick<TimeoutOptions, 'lockMs' | 'statementMs'>;

const DEFAULTS: Timeouts = { lockMs: 3000, statementMs: 0, attempts: 10, backOffMs: 500 };
const LONGEST_PAUSE = 10_000;

/** @throws RangeError for a number that is none of milliseconds or attempts. */
export function timeoutsWith(options: TimeoutOptions = {}): Timeouts {
  const timeouts = { ...DEFAULTS, ...definedOf(options) };
  for (const [name, value] of Object.entries(timeouts)) {
    const least = name === 'attempts' ? 1 : 0;
    if (!Number.isSafeInteger(value) || value < least || value > 2_147_483_647)
      throw new RangeError(`timeouts.${name} must be a whole number from ${least} on, not ${value}.`);
  }
  return timeouts;
}

function definedOf(options: TimeoutOptions): TimeoutOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

/** The pause after this many attempts. Half of it is chance, so that two runs do not meet again and again. */
export function pauseAfter(attempt: number, { backOffMs }: Timeouts): number {
  const longest = Math.min(backOffMs * 2 ** (attempt - 1), LONGEST_PAUSE);
  return longest / 2 + (Math.random() * longest) / 2;
}

/** The settings for a file, as assignments behind SET or SET LOCAL. */
export function timeoutSettings(timeouts: FileTimeouts): string[] {
  const { lockMs, statementMs } = timeouts;
  return [
    ...(lockMs === undefined ? [] : [`lock_timeout to ${lockMs}`]),
    ...(statementMs === undefined ? [] : [`statement_timeout to ${statementMs}`]),
  ];
}

const DIRECTIVE = /^--\s*\+tombstone\s+(lock_timeout|statement_timeout)\b(.*)$/s;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 };

/**
 * Reads the timeouts that a file asks for in comments of its own.
 *
 * @throws MigrationSyntaxError for a value that is no time.
 */
export function fileTimeouts(file: string, text: string): FileTimeouts {
  if (!text.includes('+tombstone')) return {};
  const found: { lockMs?: number; statementMs?: number } = {};
  try {
    for (const { kind, start, end } of tokens(text)) {
      const directive = kind === 'comment' ? DIRECTIVE.exec(text.slice(start, end).trimEnd()) : null;
      if (!directive) continue;
      const value = millisecondsOf(directive[2] ?? '');
      if (value === undefined) throw noTime(file, text, start);
      found[directive[1] === 'lock_timeout' ? 'lockMs' : 'statementMs'] = value;
    }
  } catch (error) {
    // The parser says the same with more words.
    if (!(error instanceof UnterminatedError)) throw error;
  }
  return found;
}

function millisecondsOf(text: string): number | undefined {
  const [, amount, unit = 'ms'] = /^\s*=\s*(\d{1,9})\s*(ms|s|min)?\s*$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 1);
}

function noTime(file: string, text: string, start: number): MigrationSyntaxError {
  const { line, column } = positionsOf(text)(start);
  const problem = 'This is no time. Write for example "-- +tombstone lock_timeout=10s", in ms, s or min.';
  return new MigrationSyntaxError(file, line, column, problem);
}
