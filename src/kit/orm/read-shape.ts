import { QueryFlag, RawQueryFragment } from '@mikro-orm/core';

/** A read without its values: two reads with one key are one statement, with other values. */
export interface ReadShape {
  readonly key: string;
  /** The values of the conditions, in the order in which they were met. */
  readonly leaves: readonly unknown[];
}

type Options = Readonly<Record<string, unknown>>;

/** What a read is told that its statement does not depend on. */
const APART = new Set(
  'ctx em logging loggerContext signal inflightQueryAbortStrategy connectionType cache refresh flushMode failHandler strict convertCustomTypes disableIdentityMap populateHints overfetch where'.split(
    ' ',
  ),
);
/** What is part of the statement as it is. */
const FIXED = new Set(
  'populate orderBy populateOrderBy limit fields exclude schema flags strategy filters lockMode lockTableAliases groupBy _populateWhere'.split(
    ' ',
  ),
);
/** Conditions, whose values are parameters. */
const CONDITIONS = ['populateWhere', 'populateFilter', 'having'] as const;
/** The layer's own word for what a write is given. */
const DATA = 'data';
const OWN = new Set<string>([...CONDITIONS, 'offset']);

/** More items make a statement that is seldom seen again; but a list after IN is one value, whatever its length. */
const MAX_ITEMS = 8;
const LIST = '$in';
const UNKNOWN = Symbol('unknown');

/** Undefined for a read with an option or a value whose part in the statement is not known: pieces of SQL, entities, builders. */
export function readShape(where: unknown, options: Options): ReadShape | undefined {
  const leaves: unknown[] = [];
  try {
    let key = written(where, leaves);
    for (const name in options) {
      const value = options[name];
      if (value === undefined || APART.has(name)) continue;
      // The builder then adds to the hints that it was given.
      if (name === 'flags' && (value as string[]).includes(QueryFlag.INFER_POPULATE)) return undefined;
      if (name === DATA) key += `|${writtenData(value as object, leaves)}`;
      else if (FIXED.has(name)) key += `|${name}${written(value, undefined)}`;
      else if (OWN.has(name)) key += `|${name}${written(value, leaves)}`;
      else return undefined;
    }
    return { key, leaves };
  } catch (error) {
    if (error === UNKNOWN) return undefined;
    throw error;
  }
}

/** The same read with `next` in the place of every value, in copies: the core writes into what it is given. */
export function withLeaves(
  where: unknown,
  options: Options,
  next: (leaf: unknown) => unknown,
): { where: unknown; options: Record<string, unknown> } {
  const replaced: Record<string, unknown> = { ...options };
  const replacedWhere = copied(where, next);
  for (const name in options) {
    const value = options[name];
    if (value === undefined || APART.has(name)) continue;
    replaced[name] = copied(value, FIXED.has(name) ? undefined : next);
  }
  return { where: replacedWhere, options: replaced };
}

/** Values that code may treat in a way of their own stay what they are: emptiness, truth, and numbers that are none. */
const isLeaf = (value: unknown): boolean =>
  (typeof value === 'string' && value !== '') ||
  (typeof value === 'number' && value !== 0 && Number.isFinite(value)) ||
  (typeof value === 'bigint' && value !== 0n) ||
  value instanceof Date ||
  Buffer.isBuffer(value);

/** Of texts only, which have one type in the database. */
const isLongList = (value: unknown): value is readonly string[] =>
  Array.isArray(value) &&
  value.length > MAX_ITEMS &&
  value.every((item) => typeof item === 'string' && item !== '');

function written(value: unknown, leaves: unknown[] | undefined): string {
  if (leaves && isLeaf(value)) {
    leaves.push(value);
    return typeof value === 'object' ? (value instanceof Date ? 'D' : 'B') : (typeof value).charAt(0);
  }
  switch (typeof value) {
    case 'string':
      return `"${value.length}:${value}"`;
    case 'object':
      return value === null ? 'N' : writtenObject(value, leaves);
    case 'function':
    case 'symbol':
      throw UNKNOWN;
    case 'bigint':
      return `'${value}n'`;
    default:
      return `'${String(value)}'`;
  }
}

function writtenObject(value: object, leaves: unknown[] | undefined): string {
  if (Object.getOwnPropertySymbols(value).length > 0) throw UNKNOWN;
  if (Array.isArray(value)) {
    if (leaves && value.length > MAX_ITEMS) throw UNKNOWN;
    let list = '[';
    for (const item of value as unknown[]) list += `${written(item, leaves)},`;
    return `${list}]`;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) throw UNKNOWN;
  // Where the core marks the condition of a strict filter, it hides the mark.
  if (Object.hasOwn(value, '__strict')) throw UNKNOWN;
  let map = '{';
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    if (leaves && key === LIST && isLongList(item)) {
      leaves.push(item);
      map += 'L;';
      continue;
    }
    map += `${key.length}:${key}=${written((value as Record<string, unknown>)[key], leaves)};`;
  }
  return `${map}}`;
}

/** What an update stores: a value of it may be a piece of SQL, whose own values are parameters. */
function writtenData(data: object, leaves: unknown[]): string {
  if (Object.getOwnPropertySymbols(data).length > 0) throw UNKNOWN;
  let map = 'data{';
  for (const key in data) {
    const value = (data as Record<string, unknown>)[key];
    map += `${key.length}:${key}=${isPiece(value) ? writtenPiece(value, leaves) : written(value, leaves)};`;
  }
  return `${map}}`;
}

/** One of a class of its own may be read in another way. */
const isPiece = (value: unknown): value is RawQueryFragment =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === RawQueryFragment.prototype;

function writtenPiece({ sql, params }: RawQueryFragment, leaves: unknown[]): string {
  let list = `R${sql.length}:${sql}(`;
  for (const param of params) {
    // A list is written as several values, and whatever else is an object by rules of its own.
    if (typeof param === 'object' && param !== null && !isLeaf(param)) throw UNKNOWN;
    list += `${written(param, leaves)},`;
  }
  return `${list})`;
}

function copied(value: unknown, next: ((leaf: unknown) => unknown) | undefined): unknown {
  if (next && isPiece(value))
    return new RawQueryFragment(
      value.sql,
      value.params.map((param) => copied(param, next)),
    );
  if (isLeaf(value)) return next ? next(value) : value;
  if (Array.isArray(value)) return value.map((item) => copied(item, next));
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const key in value) {
    const item = (value as Record<string, unknown>)[key];
    copy[key] = next && key === LIST && isLongList(item) ? next(item) : copied(item, next);
  }
  return copy;
}
