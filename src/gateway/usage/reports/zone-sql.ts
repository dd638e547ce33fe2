import { type RawQueryFragment, raw, sql } from '@mikro-orm/core';

/** How fine a trend is. */
export type Granularity = 'hour' | 'day';

/** The day, or the hour, in the zone that a row belongs to, as its label. The hour that a clock shows twice is one. */
export function labelSql(granularity: string, zone: string): RawQueryFragment {
  const format = granularity === 'hour' ? 'YYYY-MM-DD HH24:00' : 'YYYY-MM-DD';
  return sql`to_char(created_at at time zone ${zone}::text, ${raw(`'${format}'`)})`;
}

/** Today's date in the zone. */
export function todaySql(zone: string): RawQueryFragment {
  return sql`(now() at time zone ${zone}::text)::date`;
}

/** The instant at which the date began in the zone. */
export function startOfDaySql(date: RawQueryFragment, zone: string): RawQueryFragment {
  // Where clocks go back at one o'clock, midnight comes twice, and PostgreSQL takes the later one for it.
  return sql`(select case when ((later - interval '1 hour') at time zone ${zone}::text)::date = day
    then later - interval '1 hour' else later end
    from (select day, day::timestamp at time zone ${zone}::text as later from (select ${date} as day) d) m)`;
}

/** The instant at which today began in the zone. */
export function startOfTodaySql(zone: string): RawQueryFragment {
  return startOfDaySql(todaySql(zone), zone);
}
