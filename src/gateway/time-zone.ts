import { InvalidInputError } from '../kit/errors/index.ts';

/** The zone whose midnight begins a day, unless the composition names another one. */
export const DEFAULT_TIME_ZONE = 'Asia/Shanghai';

// PostgreSQL reads "+08:00" with the opposite sign, and "CET" as an offset that knows no summer.
const NAME = /^(UTC|[A-Z][A-Za-z_]*(\/[A-Za-z0-9_+-]+)+)$/;

/** @throws InvalidInputError for anything else than `UTC` and the zones that JavaScript and PostgreSQL understand alike. */
export function checkTimeZone(value: unknown): string {
  if (typeof value === 'string' && NAME.test(value) && isKnown(value)) return value;
  throw new InvalidInputError('timeZone', 'be UTC or a name such as Asia/Shanghai');
}

// Asking takes longer than making all repositories of a request.
const known = new Set<string>();

function isKnown(name: string): boolean {
  if (known.has(name)) return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name }).format(0);
    known.add(name);
    return true;
  } catch {
    return false;
  }
}
