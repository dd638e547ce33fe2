import { type RawQueryFragment, raw, sql } from '@mikro-orm/core';

/**
 * The instant at which the zone's hour of an instant began. It is reckoned back from the instant itself, so the two hours that
 * a clock shows alike stay two, and an hour of a zone of half an hour begins at its own full hour.
 */
export function hourOfSql(instant: RawQueryFragment, zone: string): RawQueryFragment {
  const local = sql`(${instant} at time zone ${zone}::text)`;
  return sql`(${instant} - (${local} - date_trunc('hour', ${local})))`;
}

/** The zone's date of an instant. */
export function dateOfSql(instant: RawQueryFragment, zone: string): RawQueryFragment {
  return sql`(${instant} at time zone ${zone}::text)::date`;
}

export const CREATED_AT = raw('created_at');
export const BUCKET_START = raw('bucket_start');
