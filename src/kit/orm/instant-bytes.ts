/** The two digits at a place. */
const two = (bytes: Buffer, at: number): number =>
  (bytes[at] as number) * 10 + (bytes[at + 1] as number) - 528;

const [PLUS, ZERO, DASH, POINT] = [0x2b, 0x30, 0x2d, 0x2e];
/** `2026-01-02 03:04:05+00`, and at most six digits of a fraction with their point. */
const [SHORTEST, LONGEST] = [22, 29];
/** Years are of four digits, and those of the first century are not: V8 takes them for ones of the twentieth. */
const FIRST_YEAR = 100;

/**
 * The instant that PostgreSQL has written at a place. Nearly every one is of one form, whose digits say it without a text being made;
 * undefined for any other, of which a reader of texts makes what it makes: there is no date for `infinity`.
 */
export function instantAt(bytes: Buffer, at: number, length: number): Date | undefined {
  const end = at + length;
  const isUsual =
    length >= SHORTEST &&
    length <= LONGEST &&
    bytes[at + 4] === DASH &&
    bytes[end - 3] === PLUS &&
    bytes[end - 2] === ZERO &&
    bytes[end - 1] === ZERO;
  const year = isUsual ? two(bytes, at) * 100 + two(bytes, at + 2) : 0;
  if (year < FIRST_YEAR) return undefined;
  const days = daysOf(year, two(bytes, at + 5), two(bytes, at + 8));
  const seconds = two(bytes, at + 11) * 3600 + two(bytes, at + 14) * 60 + two(bytes, at + 17);
  return new Date((days * 86_400 + seconds) * 1000 + milliseconds(bytes, at + 19, end - 3));
}

/** The first three digits of a fraction, which begins with its point, if there is one. */
function milliseconds(bytes: Buffer, from: number, to: number): number {
  if (bytes[from] !== POINT) return 0;
  let [sum, weight] = [0, 100];
  for (let at = from + 1; at < to && weight >= 1; at += 1) {
    sum += ((bytes[at] as number) - ZERO) * weight;
    weight /= 10;
  }
  return sum;
}

/**
 * Days since 1970 in the Gregorian calendar, in which PostgreSQL and JavaScript count years of all times. Years begin in March here, so that
 * the day that is there in some years only is the last one.
 */
function daysOf(year: number, month: number, day: number): number {
  const years = month > 2 ? year : year - 1;
  const months = month > 2 ? month - 3 : month + 9;
  const leaps = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  return years * 365 + leaps + Math.floor((153 * months + 2) / 5) + day - 719_469;
}
