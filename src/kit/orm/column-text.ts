import {
  type EntityProperty,
  helper,
  JsonType,
  type Platform,
  Reference,
  ReferenceKind,
  type Type,
  Utils,
} from '@mikro-orm/core';
import { InvalidInputError } from '../errors/index.ts';
import { checkText } from '../input/index.ts';
import { arrayText } from './array-column.ts';

const PRIMITIVES: ReadonlySet<string> = new Set(['string', 'number', 'bigint', 'boolean']);
const CHARACTERS = /^(?:varchar|character varying|char)\b/i;
const BIGINT = /^(?:bigint|int8|bigserial)\b/i;
const WHOLE = /^(?:-?[1-9]\d*|0)$/;

/**
 * A value that a program gives for a property, as the element of an array that PostgreSQL reads; null is NULL.
 *
 * @throws InvalidInputError where the column cannot hold it, as far as the mapping says.
 */
export function columnText(
  field: string,
  given: unknown,
  prop: EntityProperty,
  platform: Platform,
): string | null {
  const isRelation = prop.kind !== ReferenceKind.SCALAR;
  const value = isRelation ? keyOf(given) : given;
  if (value === null) {
    if (prop.nullable === true) return null;
    throw new InvalidInputError(field, 'not be null');
  }
  const typed = isRelation ? (prop.targetMeta?.getPrimaryProps()[0] as EntityProperty) : prop;
  checkType(field, value, typed);
  const text = arrayText(
    converted(field, value, prop.customType ?? typed.customType, platform),
    platform,
    typed,
  );
  if (text === null || text === undefined)
    throw new InvalidInputError(field, 'be a value that its column can hold');
  return checkText(field, text, lengthOf(typed));
}

function converted(
  field: string,
  value: unknown,
  type: Type<unknown> | undefined,
  platform: Platform,
): unknown {
  try {
    return type ? type.convertToDatabaseValue(value, platform, { mode: 'serialization' }) : value;
  } catch (error) {
    // Of a circle or a bigint JSON says so by names of the document; a type of the program's own says what it means.
    if (!(type instanceof JsonType)) throw error;
    throw new InvalidInputError(field, 'be what JSON can hold');
  }
}

/** Of an entity or a reference its key. */
function keyOf(value: unknown): unknown {
  const target = Reference.unwrapReference(value as object);
  return Utils.isEntity(target) ? helper(target).getPrimaryKey() : value;
}

function checkType(
  field: string,
  value: unknown,
  { runtimeType, enum: isEnum, items, columnTypes }: EntityProperty,
): void {
  if (PRIMITIVES.has(runtimeType) && typeof value !== runtimeType)
    throw new InvalidInputError(field, `be a ${runtimeType}`);
  if (runtimeType === 'Date' && !(value instanceof Date && !Number.isNaN(value.getTime())))
    throw new InvalidInputError(field, 'be a valid Date');
  if (isEnum && items && !items.includes(value as string))
    throw new InvalidInputError(field, 'be one of the values of its enum');
  if (BIGINT.test(columnTypes?.[0] ?? '') && typeof value === 'string' && !WHOLE.test(value))
    throw new InvalidInputError(field, 'be a whole number in decimal digits');
}

function lengthOf({ columnTypes, length }: EntityProperty): { max?: number } {
  return length !== undefined && CHARACTERS.test(columnTypes?.[0] ?? '') ? { max: length } : {};
}
