import type { SchemaObject } from '../../drift/description.ts';
import { firstParentheses, splitTopLevel } from '../../doctor/top-level.ts';
import { lastOf, ownerOf } from './names.ts';

const NAME = String.raw`(?:"(?:[^"]|"")*"|[^\s".]+)`;
const INDEX = new RegExp(
  String.raw`^CREATE (UNIQUE )?INDEX (${NAME}) ON (ONLY )?(${NAME}\.${NAME}) (USING .*)$`,
  's',
);

/** An index as the catalogue describes it, in its parts. */
export interface IndexDefinition {
  readonly isUnique: boolean;
  /** Qualified. */
  readonly table: string;
  /** What it is, whatever its name: two indexes of one shape do the same. */
  readonly shape: string;
  /** From `USING` on. */
  readonly rest: string;
}

/** What the description adds behind the server's text. */
const STATES = / (?:INVALID(?: NOT READY)?|NOT READY)(?: |$)/;

export const isInvalid = (definition: string): boolean => STATES.test(definition);

/** Reads the definition of an index; undefined for one that this does not understand. */
export function indexDefinition(definition: string): IndexDefinition | undefined {
  const [, unique, , only, table, rest] = INDEX.exec(definition) ?? [];
  if (table === undefined || rest === undefined || only !== undefined) return undefined;
  const isUnique = unique !== undefined;
  return { isUnique, table, rest, shape: shapeOf(isUnique, table, rest) };
}

const shapeOf = (isUnique: boolean, table: string, rest: string): string =>
  `${isUnique ? 'unique ' : ''}${table} ${rest}`;

const KEY =
  /^(?<kind>PRIMARY KEY|UNIQUE)(?<nulls> NULLS NOT DISTINCT)? (?<columns>\((?:"(?:[^"]|"")*"|[^()"])*\))(?<include> INCLUDE \((?:"(?:[^"]|"")*"|[^()"])*\))?(?<timing> DEFERRABLE.*)?$/;

/** A unique constraint or a primary key, in its parts. */
export interface KeyDefinition {
  readonly kind: 'PRIMARY KEY' | 'UNIQUE';
  /** That of the index which it needs. */
  readonly index: IndexDefinition;
  /** `DEFERRABLE INITIALLY DEFERRED`, or nothing. */
  readonly timing: string;
}

/** Reads the definition of a constraint; undefined for any but a unique and a primary key. */
export function keyDefinition({
  name,
  definition,
}: Pick<SchemaObject, 'name' | 'definition'>): KeyDefinition | undefined {
  const parts = KEY.exec(definition)?.groups;
  if (!parts || / WITHOUT OVERLAPS\)/.test(definition)) return undefined;
  const table = ownerOf(name);
  const rest = `USING btree ${parts['columns']}${parts['include'] ?? ''}${parts['nulls'] ?? ''}`;
  return {
    kind: parts['kind'] as KeyDefinition['kind'],
    index: { isUnique: true, table, rest, shape: shapeOf(true, table, rest) },
    timing: parts['timing']?.trim() ?? '',
  };
}

/** What makes something unique, be it an index or a constraint. */
export interface UniqueObject {
  readonly object: SchemaObject;
  readonly index: IndexDefinition;
  readonly key: KeyDefinition | undefined;
}

/** Indexes, and the constraints that have one, in their parts. */
export function indexObject(object: SchemaObject): UniqueObject | undefined {
  const key = object.kind === 'constraint' ? keyDefinition(object) : undefined;
  const index = object.kind === 'index' ? indexDefinition(object.definition) : key?.index;
  return index && { object, index, key };
}

/** Columns and expressions of an index, as they stand there; its predicate; and the rest between them. */
export interface IndexKeys {
  readonly keys: readonly string[];
  readonly between: string;
  readonly predicate: string | undefined;
}

export function indexKeys({ rest }: IndexDefinition): IndexKeys {
  const [, inside, behind] = firstParentheses(rest);
  const at = behind.indexOf(' WHERE ');
  return {
    keys: splitTopLevel(inside, ','),
    between: at < 0 ? behind : behind.slice(0, at),
    predicate: at < 0 ? undefined : behind.slice(at + ' WHERE '.length),
  };
}

/** The statement that builds the index under a name. */
export function createIndexSql({ isUnique, table, rest }: IndexDefinition, name: string): string {
  return `CREATE ${isUnique ? 'UNIQUE ' : ''}INDEX CONCURRENTLY ${lastOf(name)} ON ${table} ${rest}`;
}
