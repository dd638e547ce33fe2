import {
  type Dictionary,
  type EntityMetadata,
  type NativeInsertUpdateManyOptions,
  type QueryResult,
  type UpsertManyOptions,
  Utils,
} from '@mikro-orm/core';
import { DELETED_AT, type UpsertPolicy } from '../soft-delete/index.ts';
import type { DataDriver } from './data-driver.ts';
import { columnsOf, type ConflictFields, isByProperties, liveOnlyUnique } from './upsert-target.ts';

type Options = NativeInsertUpdateManyOptions<object> & UpsertManyOptions<object, string>;

/** An upsert as the driver is asked for it. */
export interface UpsertRequest {
  readonly driver: DataDriver;
  readonly meta: EntityMetadata;
  readonly policy: UpsertPolicy;
  readonly rows: readonly Dictionary[];
  /** The row whose fields say, for all of them, what a conflict merges. */
  readonly first: Dictionary;
  readonly fields: ConflictFields;
  /** The core's conditions, for when `fields` is the program's own fragment. */
  readonly where: readonly unknown[];
  readonly options: Options;
}

/** The properties by which the core lets an upsert conflict, given the condition that it has derived. */
export function conflictFields(meta: EntityMetadata, where: unknown, options: Options): ConflictFields {
  if (options.onConflictFields) return options.onConflictFields;
  if (!Utils.isPlainObject(where)) return meta.primaryKeys;
  return Object.keys(where).flatMap((name) => Utils.splitPrimaryKeys(name));
}

/** Which rows are missing from an incomplete answer cannot be told; the core reads all of them when there are none. */
export function inGivenOrder(result: QueryResult<object>, order: readonly number[]): QueryResult<object> {
  const written = result.rows ?? [];
  const isComplete = written.length === order.length;
  const rows: Dictionary[] = [];
  if (isComplete) order.forEach((index, place) => (rows[index] = written[place] as Dictionary));
  return { ...result, rows, row: rows[0] };
}

/** An upsert writes live rows of its own class; the core leaves the discriminator out. */
export function asWritten(meta: EntityMetadata, { [DELETED_AT]: _mark, ...row }: Dictionary): Dictionary {
  const { discriminatorColumn } = meta.root;
  if (!discriminatorColumn || meta.discriminatorValue === undefined) return row;
  return { [discriminatorColumn]: meta.discriminatorValue, ...row };
}

/** The places of the rows in the order of their keys: in one order, two sessions do not wait for each other. */
export function orderOf(rows: readonly Dictionary[], fields: ConflictFields): number[] {
  const names = isByProperties(fields) ? fields : [];
  const keys = rows.map((row) => JSON.stringify(names.map((name) => row[name] as unknown)));
  const compare = (left = '', right = ''): number => (left < right ? -1 : Number(left > right));
  return [...keys.keys()].toSorted((left, right) => compare(keys[left], keys[right]) || left - right);
}

/** The unique keys of the rows, as conditions; a row without a value in its key is in conflict with none. */
export function keysOfRows({ rows, fields, where }: UpsertRequest): Dictionary[] {
  if (!isByProperties(fields)) return where.filter((each): each is Dictionary => Utils.isPlainObject(each));
  return rows
    .filter((row) => fields.every((name) => row[name] != null))
    .map((row) => Object.fromEntries(fields.map((name) => [name, row[name] as unknown])));
}

/** Whether a dead row can be beside the conflict, and matters there. */
export function looksBeside({ meta, policy, fields }: UpsertRequest): boolean {
  if (policy === 'beside' || !isByProperties(fields)) return false;
  return liveOnlyUnique(meta, columnsOf(meta, fields)) !== undefined;
}
