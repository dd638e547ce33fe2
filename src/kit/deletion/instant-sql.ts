/** An instant as ISO 8601 at UTC with its microseconds, which a Date has not, whatever the session's zone and format are. */
export function instantText(sql: string): string {
  return `(to_jsonb((${sql})::timestamptz at time zone 'UTC') #>> '{}') || 'Z'`;
}
