import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { BACKSTOP_TRIGGERS, type BackstopTable } from '../migrations/index.ts';
import { shownTable, backstopTables } from './backstop-tables.ts';
import { SoftDeleteError } from './soft-delete-error.ts';

/**
 * Looks, in one query of the catalogue, whether every soft-deletable table has its backstop and no trigger of it is disabled:
 * for the start of a service, and for a test. It does not look for whom a backstop with roles holds.
 *
 * @throws SoftDeleteError `SOFT_DELETE.NO_BACKSTOP` naming the tables without one.
 */
export async function checkBackstop(em: SqlEntityManager): Promise<void> {
  const tables = backstopTables(em.getMetadata() as never);
  const places = tables.map((table) => regclassOf(em, table));
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

/** As the ORM finds the table: an entity without a schema of its own is in that of the entity manager or the configuration. */
function regclassOf(em: SqlEntityManager, { schema, table }: BackstopTable): string {
  const own = schema === undefined || schema === '*' ? (em.schema ?? em.config.getSchema(true)) : schema;
  const parts = own === undefined ? [table] : [own, table];
  // Not by the platform, which takes a dot for the end of a schema.
  return parts.map((name) => `"${name.replaceAll('"', '""')}"`).join('.');
}
