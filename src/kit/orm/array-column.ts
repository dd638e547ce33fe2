import { type EntityProperty, JsonType, type Platform, ReferenceKind } from '@mikro-orm/core';

/** The values of one column for many rows, as PostgreSQL reads them in an array; null is NULL. */
export interface ArrayColumn {
  readonly column: string;
  readonly values: (string | null)[];
}

const known = new WeakMap<EntityProperty, { readonly column: string | undefined }>();

/**
 * The column of a property whose values may travel in an array, one element a row. Undefined for what needs more than that: several
 * columns, a function around the value, an array (whose arrays PostgreSQL would flatten), a type that separates elements otherwise.
 */
export function arrayColumnOf(prop: EntityProperty): string | undefined {
  const before = known.get(prop);
  if (before) return before.column;
  const column = isPlain(prop) && isStored(prop) ? prop.fieldNames[0] : undefined;
  known.set(prop, { column });
  return column;
}

/**
 * Arrays; types of PostgreSQL and PostGIS whose arrays have another separator than the comma; and an interval of some fields, by
 * which a literal without units is read: the element `5` is no five hours.
 */
const ANOTHER_WAY = /\]$|\barray\b|^(?:\w+\.)?(?:box|geometry|geography)\b|^interval\s+[a-z]/i;

function isStored(prop: EntityProperty): boolean {
  const { persist, formula, generated, kind, owner, ownColumns } = prop;
  const fieldNames = (prop.fieldNames as string[] | undefined) ?? [];
  const isToOne = kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner);
  const ownsColumn = !ownColumns || ownColumns.includes(fieldNames[0] ?? '');
  const isColumn = persist !== false && !formula && !generated && fieldNames.length === 1;
  return isColumn && ownsColumn && (kind === ReferenceKind.SCALAR || isToOne);
}

function isPlain(prop: EntityProperty): boolean {
  const { polymorphic, array, customType } = prop;
  const columnTypes = (prop.columnTypes as string[] | undefined) ?? [];
  const { stiFieldNames, renamedFrom } = prop as { stiFieldNames?: unknown; renamedFrom?: unknown };
  // The function of JSON is a cast to the type of the column, which the array has already.
  const isJson = customType?.constructor === JsonType;
  const hasFunction = !isJson && customType !== undefined && 'convertToDatabaseValueSQL' in customType;
  const isArray = array === true || columnTypes.some((type) => ANOTHER_WAY.test(type.trim()));
  return !polymorphic && !stiFieldNames && !renamedFrom && !hasFunction && !isArray;
}

/**
 * The places of rows in the order of their keys; undefined where they are in it. PostgreSQL locks the rows of an update in the order
 * in which its plan comes to them, mostly that of the arrays, so that two flushes of the same rows must not differ in it. For keys
 * that are numbers it is their own order; any other only has to be the same everywhere.
 */
export function keyOrder(keys: readonly ArrayColumn[]): number[] | undefined {
  const compare = (left: number, right: number): number => {
    for (const { values } of keys) {
      const difference = compareTexts(values[left] ?? '', values[right] ?? '');
      if (difference !== 0) return difference;
    }
    return 0;
  };
  const places = [...(keys[0]?.values.keys() ?? [])];
  return places.every((place) => place === 0 || compare(place - 1, place) <= 0)
    ? undefined
    : places.toSorted(compare);
}

function compareTexts(left: string, right: string): number {
  if (left.length !== right.length) return left.length - right.length;
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/**
 * A value of a change set as text, as the core would write it; undefined for one that has to go another way: PostgreSQL rounds a
 * fraction that is assigned to a column of whole numbers, and refuses one among the elements of their array.
 */
export function arrayText(
  value: unknown,
  platform: Platform,
  prop?: EntityProperty,
): string | null | undefined {
  if (typeof value === 'string') return value;
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') {
    if (isReadOtherwise(prop)) return undefined;
    return Number.isSafeInteger(value) || (Number.isFinite(value) && hasFractions(prop))
      ? String(value)
      : undefined;
  }
  if (typeof value === 'boolean') return isReadOtherwise(prop, value) ? undefined : String(value);
  if (typeof value === 'bigint') return String(value);
  if (value instanceof Date) return (platform as unknown as DateFormat).formatDate(value);
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : undefined;
}

/** The values as the text of an array, which the driver's own way takes three times as long to write. */
export function arrayLiteral(values: readonly (string | number | boolean | Date | null)[]): string {
  let text = '{';
  for (let n = 0; n < values.length; n += 1) {
    if (n > 0) text += ',';
    text += elementOf(values[n] ?? null);
  }
  return `${text}}`;
}

function elementOf(value: string | number | boolean | Date | null): string {
  if (value === null) return 'NULL';
  if (typeof value !== 'string') return value instanceof Date ? value.toISOString() : String(value);
  if (PLAIN.test(value)) return value;
  return `"${SPECIAL.test(value) ? value.replaceAll(/["\\]/g, String.raw`\$&`) : value}"`;
}

const PLAIN = /^-?\d+(?:\.\d+)?$/;
const SPECIAL = /["\\]/;

const FRACTIONS = /^(?:numeric|decimal|real|double|float|money)/i;

/** Types that read numbers and truth values in an array, where PostgreSQL refuses to assign one: 20260101 is a day there. */
const READ_OTHERWISE =
  /^(?:bool(?:ean)?|date|time(?:tz|stamp|stamptz)?|interval|bit|varbit|jsonb?|xml|tsvector|tsquery|bytea)\b/i;

function isReadOtherwise(prop: EntityProperty | undefined, value?: boolean): boolean {
  const type = (prop?.columnTypes?.[0] ?? '').trim();
  return READ_OTHERWISE.test(type) && !(value !== undefined && /^bool/i.test(type));
}

const hasFractions = (prop: EntityProperty | undefined): boolean =>
  FRACTIONS.test((prop?.columnTypes?.[0] ?? '').trim());

/** A step of PostgreSQL's platform, which the core marks as internal. */
interface DateFormat {
  formatDate(date: Date): string;
}
