import { type EntityManager, type EntityMetadata, type EntityProperty, isRaw } from '@mikro-orm/core';
import { InvalidInputError } from '../errors/index.ts';
import { checkEach } from '../input/index.ts';
import { DELETED_AT, isSoftDeletable } from '../soft-delete/index.ts';
import { type ArrayColumn, arrayColumnOf } from './array-column.ts';
import type { SetColumn } from './array-update.ts';
import { constantSql } from './constant-sql.ts';
import { columnText } from './column-text.ts';

type Row = Readonly<Record<string, unknown>>;

/** Changes of many rows, turned from rows into columns. */
export interface RowChanges {
  readonly keys: readonly ArrayColumn[];
  /** The version that a row must have, if the program gives it. */
  readonly versions: readonly ArrayColumn[];
  readonly sets: readonly SetColumn[];
}

/**
 * Checks all of it before anything is sent: `rows` is what the program gave.
 *
 * @throws InvalidInputError; `field` names the row and the property, as in `rows[3].name`.
 */
export function rowChanges(em: EntityManager, meta: EntityMetadata, rows: readonly unknown[]): RowChanges {
  const given = rows.map((row, n) => {
    if (typeof row === 'object' && row !== null) return row as Row;
    throw new InvalidInputError(`rows[${n}]`, 'be an object with the key and what is to change');
  });
  const names = namesOf(meta, given);
  const keys = meta.getPrimaryProps().map((prop) => columnOf(em, prop, given));
  refuseRepeated(keys);
  const isVersion = (name: string): boolean => name === meta.versionProperty;
  return {
    keys,
    versions: names.filter(isVersion).map((name) => columnOf(em, propOf(meta, name), given)),
    sets: [
      ...names.filter((name) => !isVersion(name)).map((name) => columnOf(em, propOf(meta, name), given)),
      ...touched(em, meta, given, names),
    ],
  };
}

const propOf = (meta: EntityMetadata, name: string): EntityProperty =>
  meta.properties[name as never] as EntityProperty;

/** Those of the first row, beside the key: all rows must have the same ones, or a column would be two answers in one. */
function namesOf(meta: EntityMetadata, rows: readonly Row[]): string[] {
  const namesIn = (row: Row): string[] =>
    Object.keys(row).filter((name) => row[name] !== undefined && !meta.primaryKeys.includes(name as never));
  const names = namesIn(rows[0] as Row);
  for (const name of names) refuseUnwritable(meta, name);
  if (names.length === 0) throw new InvalidInputError('rows[0]', 'have something to change beside its key');
  for (const [n, row] of rows.entries()) {
    const own = namesIn(row);
    for (const name of own) if (!names.includes(name)) refuseUnwritable(meta, name, `rows[${n}].${name}`);
    if (own.length !== names.length || own.some((name) => !names.includes(name)))
      throw new InvalidInputError(`rows[${n}]`, `have the same properties as rows[0]: ${names.join(', ')}`);
  }
  return names;
}

function refuseUnwritable(meta: EntityMetadata, name: string, field = `rows[0].${name}`): void {
  const prop = Object.hasOwn(meta.properties, name) ? propOf(meta, name) : undefined;
  if (!prop) throw new InvalidInputError(field, `be a property of ${meta.className}`);
  if (name === DELETED_AT && isSoftDeletable(meta))
    throw new InvalidInputError(field, 'be left out: softDelete and restore write it');
  if (arrayColumnOf(prop) === undefined)
    throw new InvalidInputError(field, 'be one column with one plain value; save it by a flush');
  if (prop.version && prop.runtimeType !== 'number')
    throw new InvalidInputError(field, 'be left out: a version by the clock is not compared');
}

function columnOf(em: EntityManager, prop: EntityProperty, rows: readonly Row[]): ArrayColumn {
  const [column = ''] = prop.fieldNames;
  const platform = em.getPlatform();
  const isUuid = prop.primary && prop.columnTypes?.[0] === 'uuid';
  const textOf = (row: Row, field: string): string | null => {
    const value = row[prop.name];
    if (value === undefined) throw new InvalidInputError(field, 'be given');
    const text = columnText(field, value, prop, platform);
    if (text === null && prop.primary) throw new InvalidInputError(field, 'be given');
    return isUuid ? oneUuid(text) : text;
  };
  return { column, values: checkEach(rows, (n) => `rows[${n}].${prop.name}`, textOf) };
}

const UUID = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/;

/** PostgreSQL reads capitals, braces and any hyphens as the same key. */
function oneUuid(text: string | null): string | null {
  return text === null ? null : text.toLowerCase().replaceAll(/[{}-]/g, '').replace(UUID, '$1-$2-$3-$4-$5');
}

function refuseRepeated(keys: readonly ArrayColumn[]): void {
  const first = new Map<string | null | undefined, number>();
  const [own, ...others] = keys.map(({ values }) => values);
  for (let n = 0; n < (own?.length ?? 0); n += 1) {
    const key = others.length === 0 ? own?.[n] : keys.map(({ values }) => values[n]).join('\0');
    const before = first.get(key);
    if (before !== undefined)
      throw new InvalidInputError(`rows[${n}]`, `have another key than rows[${before}]`);
    first.set(key, n);
  }
}

/** What changes with every update, unless the program has given it. */
function touched(
  em: EntityManager,
  meta: EntityMetadata,
  rows: readonly Row[],
  names: readonly string[],
): SetColumn[] {
  const props = meta.props.filter(({ onUpdate, name }) => onUpdate && !names.includes(name));
  return props.map((prop) => {
    const values = rows.map((row) => prop.onUpdate?.(row, em) as unknown);
    const column = prop.fieldNames[0] ?? '';
    const sql = constantSql(values[0]);
    if (sql !== undefined) return { column, values: sql };
    if (values.some(isRaw) || arrayColumnOf(prop) === undefined)
      throw new InvalidInputError(
        `rows[0].${prop.name}`,
        'be given: what it is set to on update is SQL of its own',
      );
    return columnOf(
      em,
      prop,
      values.map((value) => ({ [prop.name]: value })),
    );
  });
}
