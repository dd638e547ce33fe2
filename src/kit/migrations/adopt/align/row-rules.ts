import type { SchemaDescription, SchemaObject } from '../../drift/description.ts';
import type { Blocker } from './align-step.ts';
import { columnDefinition } from './column-definition.ts';
import { type ForeignKeyDefinition, foreignKeyDefinition, NOT_VALID } from './foreign-key-definition.ts';
import { indexKeys, keyDefinition, type UniqueObject } from './index-definition.ts';
import { lastOf, ownerOf } from './names.ts';
import { typeChange } from './type-change.ts';

/** Rows that would stand against something. */
export interface Breach {
  readonly kind: Blocker['kind'];
  readonly object: string;
  /** What is wrong, as the beginning of a sentence, and what to do, as a sentence. */
  readonly what: string;
  readonly remedy: string;
  /** One row, one column: how many. */
  readonly count: string;
  /** The rows, for a person. */
  readonly query: string;
}

/** Several rows where one is allowed; all but one of each group count. */
export function uniqueBreach({ object, index }: UniqueObject, live: SchemaDescription): Breach {
  const { keys, between, predicate } = indexKeys(index);
  const columns = keys.map(expressionOf);
  const conditions = [
    ...(predicate === undefined ? [] : [predicate]),
    // NULLs are equal to nothing, unless the index says otherwise.
    ...(between.includes('NULLS NOT DISTINCT') ? [] : columns.map((column) => `${column} IS NOT NULL`)),
  ];
  const where = conditions.length > 0 ? ` WHERE ${conditions.join(' AND ')}` : '';
  const groups = `FROM ${index.table}${where} GROUP BY ${columns.join(', ')} HAVING count(*) > 1`;
  const ids = keyColumns(index.table, live);
  const listed =
    ids.length === 0 ? '' : `, array_agg(${ids.length === 1 ? ids[0] : `(${ids.join(', ')})`}) AS rows`;
  return {
    kind: 'duplicates',
    object: object.name,
    what: `Rows of ${index.table} are equal where ${object.name} allows one`,
    remedy: 'Decide which of them stay, and remove or change the others.',
    count: `SELECT coalesce(sum(n - 1), 0)::float8 AS rows FROM (SELECT count(*) AS n ${groups}) d`,
    query: `SELECT ${columns.join(', ')}, count(*)${listed} ${groups}`,
  };
}

/** A key of an index without what only its order needs: operator class, direction. */
const expressionOf = (key: string): string =>
  key
    .replace(/ (?:ASC|DESC)?(?: ?NULLS (?:FIRST|LAST))?$/, '')
    .replace(/ \w+_ops$/, '')
    .trim();

function keyColumns(table: string, live: SchemaDescription): string[] {
  const primary = live.find(
    ({ kind, name, definition }) =>
      kind === 'constraint' && ownerOf(name) === table && definition.startsWith('PRIMARY KEY'),
  );
  const key = primary && keyDefinition(primary);
  return key ? [...indexKeys(key.index).keys] : [];
}

/** NULLs, and values that the new type does not hold. */
export function columnBreaches(object: SchemaObject, actual: string, isFilled: boolean): Breach[] {
  const [expected, now] = [columnDefinition(object.definition), columnDefinition(actual)];
  const table = ownerOf(object.name);
  const column = lastOf(object.name);
  const breaches: Breach[] = [];
  if (expected.isNotNull && !now.isNotNull && !isFilled && expected.default === undefined)
    breaches.push({
      kind: 'nulls',
      object: object.name,
      what: `Rows of ${table} have no ${column}`,
      remedy: 'Give them a value.',
      ...selecting(table, `${column} IS NULL`),
    });
  const change = expected.type === now.type ? undefined : typeChange(now.type, expected.type);
  if (change?.isLost)
    breaches.push({
      kind: 'values',
      object: object.name,
      what: `Values of ${object.name} do not fit ${expected.type}, or would be changed by it`,
      remedy: 'Correct them.',
      ...selecting(table, change.isLost(column)),
    });
  return breaches;
}

/** Rows without the parent that they name, and rows that a check refuses. */
export function constraintBreach(
  { name, definition }: SchemaObject,
  tables: ReadonlySet<string>,
  live: SchemaDescription,
): Breach | undefined {
  if (definition.endsWith(NOT_VALID)) return undefined;
  const table = ownerOf(name);
  const key = foreignKeyDefinition(definition);
  if (key)
    return {
      kind: 'orphans',
      object: name,
      what: `Rows of ${table} refer to rows of ${key.parent} that are not there`,
      remedy: 'Remove them, or what they refer to by.',
      ...orphans(table, key, tables.has(key.parent) && hasColumns(key.parent, key.referenced, live)),
    };
  const check = /^CHECK (\(.*\))(?: NO INHERIT)?$/s.exec(definition)?.[1];
  if (check === undefined) return undefined;
  return {
    kind: 'values',
    object: name,
    what: `Rows of ${table} are refused by ${name}`,
    remedy: 'Correct them.',
    ...selecting(table, `NOT ${check}`),
  };
}

const hasColumns = (table: string, columns: readonly string[], live: SchemaDescription): boolean =>
  columns.every((column) =>
    live.some(({ kind, name }) => kind === 'column' && name === `${table}.${column}`),
  );

function orphans(
  table: string,
  { columns, parent, referenced, isFull }: ForeignKeyDefinition,
  hasParent: boolean,
): Pick<Breach, 'count' | 'query'> {
  const isSet = columns.map((column) => `c.${column} IS NOT NULL`);
  const pairs = columns.map((column, at) => `p.${referenced[at] ?? column} = c.${column}`).join(' AND ');
  const missing = hasParent
    ? [...isSet, `NOT EXISTS (SELECT FROM ${parent} p WHERE ${pairs})`].join(' AND ')
    : isSet.join(' AND ');
  const isMixed = `(${isSet.join(' OR ')}) AND NOT (${isSet.join(' AND ')})`;
  return selecting(`${table} c`, isFull && columns.length > 1 ? `(${missing}) OR (${isMixed})` : missing);
}

const selecting = (from: string, where: string): Pick<Breach, 'count' | 'query'> => ({
  count: `SELECT count(*)::float8 AS rows FROM ${from} WHERE ${where}`,
  query: `SELECT * FROM ${from} WHERE ${where}`,
});
