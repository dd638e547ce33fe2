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

function isKnown(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== '';
  } catch {
    return false;
  }
}
