/** Rows of one entry; more would have to be unpacked for a look at one of them. */
const ROWS = 1000;

/**
 * What a statement writes into the journal, as `given`. Values in a list of columns would stay in the text, and the statement be parsed
 * and planned for each call.
 */
export const GIVEN = `given (batch, step, tenant, actor, reason) as (
      values ($batch::uuid, $step::int, $tenant::text, $actor::text, $reason::text))`;

/**
 * The part of a statement that writes its rows into the journal, many to an entry: one row for each would take longer than to
 * mark them. `rows` gives kind, table_name, key, edge, cause and detail; {@link GIVEN} stands before it.
 */
export function notedSql(rows: string): string {
  return `noted as (
      insert into deletion_entries (batch_id, step, part, kind, table_name, edge, keys, causes, details)
      select g.batch, g.step, part, kind, table_name, edge, array_agg(key),
        case when edge <> '' then array_agg(cause) end, case when kind <> 'fell' then array_agg(detail) end
      from given g, (select r.kind, r.table_name, r.key, r.edge, r.cause, r.detail,
        (row_number() over () - 1) / ${ROWS} as part from (${rows}) r) n
      group by g.batch, g.step, part, kind, table_name, edge
    )`;
}
