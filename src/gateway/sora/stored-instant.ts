/** An instant as a statement gives it, in the text of the database. */
export type StoredInstant = string | Date;

export function storedInstant(value: StoredInstant): Date {
  return new Date(value);
}

export function storedInstantOrNull(value: StoredInstant | null): Date | null {
  return value === null ? null : new Date(value);
}
