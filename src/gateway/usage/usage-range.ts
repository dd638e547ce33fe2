import { type RawQueryFragment, sql } from '@mikro-orm/core';
import { InvalidInputError } from '../../kit/errors/index.ts';

/** From `start` until just before `end`: ranges that follow each other share no row. Empty when `end` is not after `start`. */
export interface HalfOpenRange {
  readonly start: Date;
  readonly end: Date;
}

/**
 * From `startTime` to `endTime` with both of them, and the whole millisecond of `endTime`: a log is in the range that ends at
 * its own `createdAt`, from which a Date has cut the microseconds.
 */
export interface ClosedRange {
  readonly startTime: Date;
  readonly endTime: Date;
}

/** The condition on `created_at`. @throws InvalidInputError VALIDATION. */
export function within(range: HalfOpenRange): RawQueryFragment {
  const { start, end } = checkRange(range);
  return sql`created_at >= ${start}::timestamptz and created_at < ${end}::timestamptz`;
}

/** The range, when both of its ends are valid. @throws InvalidInputError VALIDATION. */
export function checkRange(range: HalfOpenRange): HalfOpenRange {
  if (range === null || range === undefined) throw new InvalidInputError('range', 'be given');
  return { start: checkInstant('start', range.start), end: checkInstant('end', range.end) };
}

/** The conditions on `created_at` of the ends that are given. @throws InvalidInputError VALIDATION. */
export function throughout({ startTime, endTime }: Partial<ClosedRange>): RawQueryFragment[] {
  const conditions: RawQueryFragment[] = [];
  if (startTime !== undefined && startTime !== null)
    conditions.push(sql`created_at >= ${checkInstant('startTime', startTime)}::timestamptz`);
  if (endTime !== undefined && endTime !== null) {
    const end = checkInstant('endTime', endTime);
    conditions.push(sql`created_at < ${end}::timestamptz + interval '1 millisecond'`);
  }
  return conditions;
}

// The years that PostgreSQL and the text of a Date in its protocol agree about.
const EARLIEST = Date.parse('0001-01-02T00:00:00Z');
const LATEST = Date.parse('9999-12-31T00:00:00Z');

/** A valid Date of the years 1 to 9999. @throws InvalidInputError VALIDATION. */
export function checkInstant(field: string, value: unknown): Date {
  // An invalid Date is NaN, which is in no order with anything.
  if (value instanceof Date && value.getTime() >= EARLIEST && value.getTime() <= LATEST) return value;
  throw new InvalidInputError(field, 'be a valid Date of the years 1 to 9999');
}
