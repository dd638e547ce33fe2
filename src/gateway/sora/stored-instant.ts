/** An instant as a statement gives it, in the text of the database. */
export type StoredInstant = string | Date;

/** Read as ISO 8601: what is not, the platform guesses at, and takes the year 1, an empty instant of Go, for 2001. */
export function storedInstant(value: StoredInstant): Date {
  if (typeof value !== 'string') return new Date(value);
  return new Date(value.replace(' ', 'T').replace(/[+-]\d\d$/, '$&:00'));
}

export function storedInstantOrNull(value: StoredInstant | null): Date | null {
  return value === null ? null : storedInstant(value);
}
