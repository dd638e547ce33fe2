import type { Client } from 'pg';

/** Columns and what stands in them, as SQL over the number `n` of a row. */
export type RowOf = Readonly<Record<string, string>>;

/** Columns of all tables of the schema, by table. */
export async function columnsByTable(client: Client): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await client.query<{ name: string; columns: string[] }>(
    `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') group by c.relname`,
  );
  return new Map(rows.map(({ name, columns }) => [name, columns]));
}

/** Stores rows by one statement; columns and tables that this form of the database lacks are left out. */
export class Series {
  readonly #client: Client;
  readonly #columns: ReadonlyMap<string, readonly string[]>;

  constructor(client: Client, columns: ReadonlyMap<string, readonly string[]>) {
    this.#client = client;
    this.#columns = columns;
  }

  has(table: string, column?: string): boolean {
    const columns = this.#columns.get(table);
    return columns !== undefined && (column === undefined || columns.includes(column));
  }

  async insert(table: string, rows: number, row: RowOf, where = 'true'): Promise<void> {
    const columns = Object.keys(row).filter((column) => this.has(table, column));
    if (!this.has(table)) return;
    const values = columns.map((column) => row[column]);
    await this.#client.query(
      `insert into public.${table} (${columns.join(', ')}) select ${values.join(', ')}
       from generate_series(1, ${Math.floor(rows)}::int) n where ${where}`,
    );
  }
}
