/** Rows of one entry; more would have to be unpacked for a look at one of them. */
const ROWS = 1000;

/**
 * The part of a statement that writes its rows into the journal, many to an entry: one row for each would take longer than to
 * mark them. `rows` gives kind, table_name, key, edge, cause and detail.
 */
export function notedSql(rows: string): string {
  return `noted as (
      insert into deletion_entries (batch_id, step, part, kind, table_name, edge, keys, causes, details)
      select $batch, $step, part, kind, table_name, edge, array_agg(key),
        case when edge <> '' then array_agg(cause) end, case when kind <> 'fell' then array_agg(detail) end
      from (select r.*, (row_number() over () - 1) / ${ROWS} as part from (${rows}) r) n
      group by part, kind, table_name, edge
    )`;
}
