import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { BACKSTOP_TRIGGERS, type BackstopTable } from '../migrations/index.ts';
import { shownTable, softDeletableTables } from './backstop-tables.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/**
 * Looks, in one query of the catalogue, whether every soft-deletable table has its backstop and no trigger of it is disabled:
 * for the start of a service, and for a test. It does not look for whom a backstop with roles holds.
 *
 * @throws SoftDeleteError `SOFT_DELETE.NO_BACKSTOP` naming the tables without one.
 */
export async function checkBackstop(em: SqlEntityManager): Promise<void> {
  const tables = softDeletableTables(em.getMetadata() as never);
  const schema = em.schema ?? em.config.get('schema');
  const places = tables.map((table) => regclassOf(table, schema));
  const rows = await em.execute<{ place: string }[]>(
    `select place from json_array_elements_text(?::json) as place
     where (select count(*) from pg_catalog.pg_trigger where tgrelid = pg_catalog.to_regclass(place)
       and tgname in (?, ?) and tgenabled in ('O', 'A')) < ?`,
    [JSON.stringify(places), ...BACKSTOP_TRIGGERS, BACKSTOP_TRIGGERS.length],
  );
  const missing = new Set(rows.map(({ place }) => place));
  const without = tables.filter((_, index) => missing.has(places[index] as string));
  if (without.length > 0) throw SoftDeleteError.noBackstop(without.map(shownTable));
}

/** Where the schema of an entity is chosen at run time, the entity manager's own one counts. */
function regclassOf(table: BackstopTable, chosen: string | undefined): string {
  const schema = table.schema === '*' ? chosen : (table.schema ?? chosen);
  const parts = schema === undefined ? [table.table] : [schema, table.table];
  // Not by the platform, which takes a dot for the end of a schema.
  return parts.map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}
