import { isRaw, JsonProperty, type Platform, Utils } from '@mikro-orm/core';
import type { ParameterPlace } from './parameter-places.ts';
import { isClock, withPieces } from './raw-values.ts';
import type { StatementTemplate, StatementTemplates } from './statement-template.ts';

/** A statement with `$1`, `$2` … and its values in text form, as PostgreSQL reads them. */
export interface BoundStatement {
  readonly text: string;
  readonly values: readonly (string | null | readonly string[])[];
  /** Whether its plan must be made for these values: a plan that is kept is made for lists of ten. */
  readonly once: boolean;
}

type Parameter = string | null | readonly string[];

/**
 * What a value is in a text: its parameters, and how each is written behind its number. `literal` is for what stays in the
 * text: few values in all, or ones that PostgreSQL has to know to plan well.
 */
interface Shape {
  readonly code: string;
  readonly literal?: string;
  readonly parameter?: Parameter;
  readonly cast?: string;
}

const MAX_KEPT_LIST = 200;
const MAX_TEXTS = 100;

/**
 * The statement with parameters in the place of the values that the ORM would write into it; undefined where one of them has to
 * stay. A text is a literal without a type, as in the ORM's own statement; a number gets the type that its literal has.
 */
export function bindStatement(
  templates: StatementTemplates,
  platform: Platform,
  sql: string,
  params: readonly unknown[],
): BoundStatement | undefined {
  const apart = withPieces(sql, params);
  const read = apart && templates.read(apart.sql, apart.params);
  if (!read) return undefined;
  const { template, values } = read;
  const shapes: (Shape | readonly Shape[])[] = [];
  let key = '';
  let once = false;
  for (const [index, place] of template.places.entries()) {
    const shape = shapeAt(place, values[index], platform);
    if (!shape) return undefined;
    shapes.push(shape);
    key += Array.isArray(shape)
      ? `(${(shape as readonly Shape[]).map(({ code }) => code).join('')})`
      : (shape as Shape).code;
    if (place.kind === 'list') once ||= (values[index] as readonly unknown[]).length > MAX_KEPT_LIST;
  }
  const text = textOf(template, key, shapes);
  const parameters = shapes.flat().flatMap(({ parameter }) => (parameter === undefined ? [] : [parameter]));
  return { text, values: parameters, once };
}

function textOf(
  { pieces, places, texts }: StatementTemplate,
  key: string,
  shapes: readonly (Shape | readonly Shape[])[],
): string {
  const known = texts.get(key);
  if (known !== undefined) return known;
  let [text, count] = [pieces[0] ?? '', 0];
  const write = ({ literal, cast = '' }: Shape): string => literal ?? `$${(count += 1)}${cast}`;
  for (const [index, shape] of shapes.entries()) {
    text += written(places[index] as ParameterPlace, shape, write) + (pieces[index + 1] ?? '');
  }
  if (texts.size >= MAX_TEXTS) texts.clear();
  texts.set(key, text);
  return text;
}

function written(
  { kind, negated }: ParameterPlace,
  shape: Shape | readonly Shape[],
  write: (shape: Shape) => string,
): string {
  const isOne = !Array.isArray(shape);
  if (kind !== 'list') return write(shape as Shape);
  if (isOne) return `${negated ? '<> all' : '= any'}(${write(shape as Shape)})`;
  return `${negated ? 'not in' : 'in'} (${(shape as readonly Shape[]).map((item) => write(item)).join(', ')})`;
}

function shapeAt(
  { kind }: ParameterPlace,
  value: unknown,
  platform: Platform,
): Shape | readonly Shape[] | undefined {
  if (kind === 'list') return listShape(value as readonly unknown[], platform);
  const shape = shapeOf(value, platform);
  if (!shape || kind === 'value') return shape;
  // A statement is planned for its number of rows, and NULL can be stored in a column of any type.
  if (kind === 'rows' && typeof value === 'number') return { code: `#${value};`, literal: String(value) };
  return kind === 'stored' && value === null ? { code: 'N', parameter: null } : shape;
}

/** One array for a list, where its literals have one type; an array of arrays has no type of its own. */
function listShape(items: readonly unknown[], platform: Platform): Shape | readonly Shape[] | undefined {
  const shapes: Shape[] = [];
  for (const item of items) {
    const shape = shapeOf(item, platform);
    if (!shape) return undefined;
    shapes.push(shape);
  }
  const casts = new Set(
    shapes.map(({ cast, literal }) => (literal === undefined ? (cast ?? '') : 'literal')),
  );
  const parameter = shapes.map(({ parameter: item }) => item as string);
  if (casts.size === 1 && casts.has('') && !parameter.some(isArrayText)) return { code: 'A', parameter };
  const widest = ['::int8', '::int4'].find((cast) => casts.has(cast));
  if (widest && [...casts].every((cast) => cast.startsWith('::int')) && items.every(isSingle))
    return { code: `A${widest};`, parameter, cast: `${widest}[]` };
  return shapes.length > MAX_KEPT_LIST / 4 ? undefined : shapes;
}

/** Of arrays and ranges, and of boxes, whose arrays have another separator. */
const isArrayText = (text: string): boolean => /^\s*[{[(]/.test(text);

/**
 * Whether the number is the same as a `real`. IN compares a column of that type in its own precision, and `= ANY` an array of
 * other numbers with it in double precision, where 1.1 is another number.
 */
const isSingle = (item: unknown): boolean => Math.fround(item as number) === item;

/** Follows `platform.quoteValue`, so that each value is the same text as in the literal that the core would write. */
function shapeOf(value: unknown, platform: Platform): Shape | undefined {
  switch (typeof value) {
    case 'string':
      return { code: 's', parameter: value };
    case 'bigint':
      return { code: 's', parameter: value.toString() };
    case 'number':
      return numberShape(value);
    case 'boolean':
      return { code: value ? 't' : 'f', literal: String(value) };
    case 'object':
      return value === null ? { code: 'n', literal: 'null' } : objectShape(value, platform);
    default:
      return undefined;
  }
}

const TEXTS_OF_NUMBERS = /^-?\d+(?:\.\d+)?$/;
const INT4 = 2 ** 31;

function numberShape(value: number): Shape | undefined {
  const parameter = String(value);
  if (!TEXTS_OF_NUMBERS.test(parameter)) return undefined;
  if (!Number.isInteger(value)) return { code: 'd', parameter, cast: '::numeric' };
  if (Math.abs(value) < INT4) return { code: 'i', parameter, cast: '::int4' };
  return Number.isSafeInteger(value) ? { code: 'l', parameter, cast: '::int8' } : undefined;
}

function objectShape(value: object, platform: Platform): Shape | undefined {
  if (isRaw(value)) return isClock(value) ? { code: `${value.sql};`, literal: value.sql } : undefined;
  if (Utils.isPlainObject(value) || JsonProperty in value) {
    return { code: 's', parameter: JSON.stringify(value) };
  }
  if (value instanceof Date) {
    const { formatDate } = platform as unknown as { formatDate(this: Platform, date: Date): string };
    return { code: 's', parameter: formatDate.call(platform, value) };
  }
  if (Buffer.isBuffer(value)) return { code: 's', parameter: String.raw`\x${value.toString('hex')}` };
  return undefined;
}
