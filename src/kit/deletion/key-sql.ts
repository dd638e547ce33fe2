import { escapeIdentifier } from 'pg';
import type { CatalogueColumn } from './catalogue.ts';
import type { GraphEdge, GraphTable } from './graph.ts';

/** Types whose text is the same in every session; of the others JSON has one form, but for the time zone of an instant. */
const PLAIN = /^(smallint|integer|bigint|uuid|text|character varying|numeric|boolean)$/;

const textOf = (alias: string, { name, type }: CatalogueColumn): string => {
  const column = `${alias}.${escapeIdentifier(name)}`;
  const json = (value: string): string => `(to_jsonb(${value}) #>> '{}')`;
  if (type === 'timestamp with time zone')
    return `case when isfinite(${column}) then ${json(`${column} at time zone 'UTC'`)} || 'Z' else ${column}::text end`;
  return PLAIN.test(type) ? `${column}::text` : json(column);
};

/**
 * The primary key of the row `alias` in the form of the journal: the value, or the values as a JSON array. Rows without one can only
 * forbid a deletion, and are told apart by their place.
 */
export function keyText(table: GraphTable, alias: string): string {
  const [first, ...more] = table.primaryKey;
  if (!first) return `${alias}.ctid::text`;
  if (more.length === 0) return textOf(alias, first);
  return `jsonb_build_array(${table.primaryKey.map((column) => textOf(alias, column)).join(', ')})::text`;
}

/** One column of a key in the form of the journal, as a value of its type. */
export function partOf(table: GraphTable, key: string, column: CatalogueColumn): string {
  const position = table.primaryKey.indexOf(column);
  const text = table.primaryKey.length === 1 ? key : `((${key})::jsonb ->> ${position})`;
  return `(${text})::${column.type}`;
}

/** That the row `alias` has the key. */
export function hasKey(table: GraphTable, alias: string, key: string): string {
  return table.primaryKey
    .map((column) => `${alias}.${escapeIdentifier(column.name)} = ${partOf(table, key, column)}`)
    .join(' and ');
}

/** That the rows `one` and `other` are the same. */
export function isSameRow(table: GraphTable, one: string, other: string): string {
  return table.primaryKey
    .map(({ name }) => `${one}.${escapeIdentifier(name)} = ${other}.${escapeIdentifier(name)}`)
    .join(' and ');
}

/** The columns of the primary key of `alias`. */
export function keyColumns(table: GraphTable, alias: string): string {
  return table.primaryKey.map(({ name }) => `${alias}.${escapeIdentifier(name)}`).join(', ');
}

/** Whether the foreign key leads to the primary key, so that the parent need not be read for its values. */
export function leadsToKey({ parent, referenced }: GraphEdge): boolean {
  return referenced.every((column) => parent.primaryKey.includes(column));
}

/** A period needs each row of the parent that it has an instant of. */
export function comparison(
  { columns, period }: { readonly columns: readonly unknown[]; readonly period: boolean },
  index: number,
): string {
  return period && index === columns.length - 1 ? '&&' : '=';
}

/** That the row `child` refers to the parent with the key; where the values of the parent are needed, by its row `p`. */
export function refersTo(edge: GraphEdge, child: string, key: string): string {
  const isByKey = leadsToKey(edge);
  return edge.columns
    .map(({ name }, index) => {
      const referenced = edge.referenced[index] as CatalogueColumn;
      const value = isByKey ? partOf(edge.parent, key, referenced) : `p.${escapeIdentifier(referenced.name)}`;
      return `${child}.${escapeIdentifier(name)} ${comparison(edge, index)} ${value}`;
    })
    .join(' and ');
}

/** The join of the parent's row `p`, for a foreign key that leads to other columns than the primary key. */
export function parentRow(edge: GraphEdge, key: string): string {
  return leadsToKey(edge)
    ? ''
    : `join ${edge.parent.sql} p on ${hasKey(edge.parent, 'p', key)}
      /* soft-delete: a dead row too, because what fell is followed to what refers to it */`;
}

/** That the row `child` refers to the row `parent`. */
export function refersToRow(
  edge: Pick<GraphEdge, 'columns' | 'referenced' | 'period'>,
  child: string,
  parent: string,
): string {
  return edge.columns
    .map(
      ({ name }, index) =>
        `${child}.${escapeIdentifier(name)} ${comparison(edge, index)} ${parent}.${escapeIdentifier((edge.referenced[index] as CatalogueColumn).name)}`,
    )
    .join(' and ');
}

/** That the row `alias` is live; every row of a table without deleted rows is. */
export function isLiveRow({ deletedAt }: GraphTable, alias: string): string {
  return deletedAt === undefined ? 'true' : `${alias}.${escapeIdentifier(deletedAt)} is null`;
}
