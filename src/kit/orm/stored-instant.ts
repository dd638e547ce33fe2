/** An instant as a raw statement gives it: the text of the database, or a date that the layer has read from it. */
export type StoredInstant = string | Date;

// Zones of old were as many seconds apart as their suns.
const SECONDS = /([+-])(\d\d):(\d\d):(\d\d)$/;
const HOURS = /[+-]\d\d$/;

const BEFORE_CHRIST = /^(\d+)(.*) BC$/;

/**
 * The instant of a text that PostgreSQL has written. The platform guesses at what is no ISO 8601: it takes the year 1, an
 * instant of Go that was never set, for 2001, and fails at how a session writes it whose zone was seconds away from
 * Greenwich then, or in the year before.
 */
export function storedInstant(value: StoredInstant): Date {
  if (typeof value !== 'string') return new Date(value);
  const date = new Date(value);
  // Nearly every instant is of neither kind, and is parsed once.
  return value.startsWith('00') || Number.isNaN(date.getTime()) ? parsed(value) : date;
}

export function storedInstantOrNull(value: StoredInstant | null | undefined): Date | null {
  return value === null || value === undefined ? null : storedInstant(value);
}

function parsed(text: string): Date {
  const iso = text
    .replace(BEFORE_CHRIST, (_text, year: string, rest: string) => `${isoYear(1 - Number(year))}${rest}`)
    .replace(' ', 'T')
    .replace(HOURS, '$&:00');
  const offset = SECONDS.exec(iso);
  if (!offset) return new Date(iso);
  const [whole, sign, hours, minutes, seconds] = offset;
  const instant = Date.parse(`${iso.slice(0, -whole.length)}${sign}${hours}:${minutes}`);
  return new Date(instant - Number(`${sign}${seconds}`) * 1000);
}

/** There is a year 0 in ISO 8601, the first one before Christ. */
function isoYear(year: number): string {
  return year === 0 ? '0000' : `-${String(-year).padStart(6, '0')}`;
}
