import type { EntityMetadata } from '@mikro-orm/core';
import { DELETED_AT, isSoftDeletable } from '../../soft-delete/index.ts';

/** A table whose rows can be dead. */
export interface SoftDeletableTable {
  readonly table: string;
  /** Left out, or `*`: in any schema. */
  readonly schema?: string;
  /** The column behind `deletedAt`. */
  readonly column: string;
}

/** What {@link softDeletableTables} needs of an initialised `MikroORM`. */
export interface MappedOrm {
  getMetadata(): object;
}

/** The tables of all soft-deletable entities of an ORM, once each, also where a hierarchy of classes shares one. */
export function softDeletableTables(orm: MappedOrm): SoftDeletableTable[] {
  const tables = new Map<string, SoftDeletableTable>();
  for (const meta of orm.getMetadata() as Iterable<EntityMetadata>) {
    const prop = meta.properties[DELETED_AT as never] as { fieldNames: string[] } | undefined;
    const column = prop?.fieldNames[0];
    if (!isSoftDeletable(meta) || !meta.tableName || !column) continue;
    const { tableName: table, schema } = meta;
    tables.set(JSON.stringify([schema, table]), { table, schema, column });
  }
  return [...tables.values()];
}

const CATALOGUES = new Set(['pg_catalog', 'information_schema']);

/** The table that a name in a statement means. A name without a schema may mean a table of any: the search path decides. */
export function tableNamed(
  tables: readonly SoftDeletableTable[],
  name: string,
  schema: string | undefined,
): SoftDeletableTable | undefined {
  return tables.find((one) => {
    if (one.table !== name) return false;
    if (schema === undefined) return true;
    const isAnywhere = one.schema === undefined || one.schema === '*';
    return isAnywhere ? !CATALOGUES.has(schema) : one.schema === schema;
  });
}
