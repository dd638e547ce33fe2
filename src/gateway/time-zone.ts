import { InvalidInputError } from '../kit/errors/index.ts';

/** Whose midnight begins a day. */
export interface TimeZoneOptions {
  /** A name of the IANA database, such as `Europe/Paris`. Default `Asia/Shanghai`. */
  readonly timeZone?: string;
}

const DEFAULT = 'Asia/Shanghai';
// Left out on purpose: PostgreSQL reads "+08:00" as eight hours west of Greenwich, and "CET" as an offset without a summer.
const NAME = /^(UTC|[A-Za-z_]+(\/[A-Za-z0-9_+-]+)+)$/;
const known = new Set<string>([DEFAULT]);

/**
 * The time zone that the options ask for.
 *
 * @throws InvalidInputError for what is no name of a zone: an unknown one would fail in the middle of a request.
 */
export function timeZoneOf({ timeZone = DEFAULT }: TimeZoneOptions): string {
  if (known.has(timeZone)) return timeZone;
  if (typeof timeZone !== 'string' || !NAME.test(timeZone) || !isZone(timeZone))
    throw new InvalidInputError('timeZone', 'be the name of a time zone, such as "Europe/Paris"');
  known.add(timeZone);
  return timeZone;
}

function isZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }));
  } catch {
    return false;
  }
}
