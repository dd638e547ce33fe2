import { DIRECTIVES, directivesIn } from './directive.ts';
import { MigrationSyntaxError } from './errors.ts';

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

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, min: 60_000 };

/**
 * Reads the timeouts that a file asks for in directives.
 *
 * @throws MigrationSyntaxError for a value that is no time, and for a directive that there is not.
 */
export function fileTimeouts(file: string, text: string): FileTimeouts {
  const found: { lockMs?: number; statementMs?: number } = {};
  for (const directive of directivesIn(text)) {
    const { word, rest, line, column } = directive;
    if (!isKnown(word)) throw new MigrationSyntaxError(file, line, column, unknown(word));
    if (!word.endsWith('_timeout')) continue;
    const value = millisecondsOf(rest);
    if (value === undefined) throw new MigrationSyntaxError(file, line, column, NO_TIME);
    found[word === 'lock_timeout' ? 'lockMs' : 'statementMs'] = value;
  }
  return found;
}

const NO_TIME = 'This is no time. Write for example "-- +tombstone lock_timeout=10s", in ms, s or min.';

const isKnown = (word: string): boolean => DIRECTIVES.some((known) => known === word);

// A typing mistake must not become a comment: the file would run with other timeouts than it says.
const unknown = (word: string): string =>
  `"${word}" is no directive of tombstone. Write one of: ${DIRECTIVES.join(', ')}.`;

function millisecondsOf(text: string): number | undefined {
  const [, amount, unit = 'ms'] = /^=\s*(\d{1,9})\s*(ms|s|min)?$/.exec(text) ?? [];
  return amount === undefined ? undefined : Number(amount) * (UNITS[unit] ?? 1);
}
