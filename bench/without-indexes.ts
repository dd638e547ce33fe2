import type { ClientBase } from 'pg';

interface Index {
  readonly name: string;
  readonly definition: string;
}

/** Without those of a constraint: other tables may refer to it. */
const INDEXES = `select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition from pg_index
  where indrelid = any ($1::text[]::regclass[]) and not exists (select from pg_constraint where conindid = indexrelid)`;

/** Lets `fill` put rows into tables that have no indexes meanwhile: to make an index at once is many times faster. */
export async function withoutIndexes(
  client: ClientBase,
  tables: readonly string[],
  fill: () => Promise<void>,
): Promise<void> {
  const { rows } = await client.query<Index>(INDEXES, [tables]);
  for (const { name } of rows) await client.query(`drop index ${name}`);
  await fill();
  for (const { definition } of rows) await client.query(definition);
}
