import { type EntityMetadata, type EntityProperty, ReferenceKind, Utils } from '@mikro-orm/core';
import { isKeptKey, simpleKey } from './made-references.ts';

type Row = Readonly<Record<string, unknown>>;

/** The name of a row's entity in the identity map, without a schema; undefined for a row that has no plain key. */
export type KeyHash = (row: Row) => string | undefined;

/** A column of a key: by its name in the row, and in the joined row where the column is a relation. */
interface Part {
  readonly name: string;
  readonly target: string | undefined;
}

/**
 * The hash of keys whose values stand in the row as the identity map has them, in one column or in several; undefined for other
 * keys. The core converts the values of a key of several columns there and back for each row.
 */
export function keyHash(meta: EntityMetadata): KeyHash | undefined {
  if (meta.root.class !== meta.class) return undefined;
  const [first, ...others] = meta.getPrimaryProps().map(partOf);
  if (!first || others.includes(undefined)) return undefined;
  if (others.length === 0) return first.target === undefined ? (row) => textOf(row, first) : undefined;
  const parts = [first, ...(others as Part[])];
  return (row) => {
    let hash = '';
    for (const [place, part] of parts.entries()) {
      const text = textOf(row, part);
      if (text === undefined) return undefined;
      hash += place === 0 ? text : Utils.PK_SEPARATOR + text;
    }
    return hash;
  };
}

function partOf(prop: EntityProperty): Part | undefined {
  const { kind, name, targetKey, targetMeta } = prop;
  if (kind === ReferenceKind.SCALAR) return isKeptKey(prop) ? { name, target: undefined } : undefined;
  const target = targetKey || !targetMeta ? undefined : simpleKey(targetMeta)?.name;
  return target === undefined ? undefined : { name, target };
}

function textOf(row: Row, { name, target }: Part): string | undefined {
  let value = row[name];
  if (target !== undefined && Utils.isPlainObject<Row>(value)) value = value[target];
  const isText = typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint';
  return isText ? String(value) : undefined;
}
