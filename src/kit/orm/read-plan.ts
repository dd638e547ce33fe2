import { isRaw, RawQueryFragment } from '@mikro-orm/core';
import { type CapturedStatement, capturing } from './captured-statement.ts';
import { withEarlyLimit } from './early-limit.ts';
import { listPlace, withList } from './list-places.ts';
import { type ReadShape, withLeaves } from './read-shape.ts';

/** A value of the read, by its position among the leaves; everything else in a plan is the same in every call. */
interface Leaf {
  readonly leaf: number;
}

/** The statement of all reads of one shape. */
export interface ReadPlan {
  /** With a place for each value; a list has as many as it has items. */
  text(leaves: readonly unknown[]): string;
  readonly builder: object;
  /** What the core has come to on its way to the statement. */
  readonly captured: CapturedStatement;
  values(leaves: readonly unknown[]): unknown[];
}

type Options = Readonly<Record<string, unknown>>;
type Make = (where: unknown, options: Record<string, unknown>) => Promise<unknown>;

/**
 * Has the core make the statement of a read twice, with its own values and with others, and compares: undefined when a value is
 * more than a parameter, so that the texts differ, or is changed on its way.
 */
export async function planRead(
  make: Make,
  where: unknown,
  options: Options,
  { leaves }: ReadShape,
): Promise<ReadPlan | undefined> {
  const strange = leaves.map((leaf, index) => otherThan(leaf, index));
  const real = await capture(make, where, options, leaves);
  // One that the core has sent in spite of it must not be sent with values that nobody has asked for.
  if (real.sql === undefined || !real.builder) return undefined;
  const other = await capture(make, where, options, strange);
  // Of several statements only the last one is here.
  if (real.sql !== other.sql || real.count !== 1 || other.count !== 1) return undefined;
  const slots = slotsOf(real.params ?? [], other.params ?? [], leaves, strange);
  const text = slots && textOf(withEarlyLimit(real.sql, real.builder as never) ?? real.sql, slots, leaves);
  if (!text) return undefined;
  return {
    text,
    builder: real.builder,
    captured: real,
    values: (own) => valuesOf(slots, own),
  };
}

/** One text, or one for each length of a list; of several lists the core has to make the statement. */
function textOf(
  sql: string,
  slots: readonly unknown[],
  leaves: readonly unknown[],
): ReadPlan['text'] | undefined {
  const lists = slots.flatMap((slot, index) =>
    isLeafSlot(slot) && Array.isArray(leaves[slot.leaf]) ? [index] : [],
  );
  const [first, ...others] = lists;
  if (first === undefined) return () => sql;
  const { leaf } = slots[first] as LeafSlot;
  // What stands before it is one parameter each.
  const place = others.length === 0 ? listPlace(sql, first, (leaves[leaf] as unknown[]).length) : undefined;
  return place && ((own) => withList(place, (own[leaf] as unknown[]).length));
}

async function capture(
  make: Make,
  where: unknown,
  options: Options,
  leaves: readonly unknown[],
): Promise<CapturedStatement> {
  const sink: CapturedStatement = {};
  let next = 0;
  const read = withLeaves(where, options, () => leaves[(next += 1) - 1]);
  const logging = capturing(options['logging'] as object | undefined, sink);
  await make(read.where, { ...read.options, logging });
  return sink;
}

class LeafSlot implements Leaf {
  readonly leaf: number;
  constructor(leaf: number) {
    this.leaf = leaf;
  }
}

/** A piece of SQL with values of the call. */
class PieceSlot {
  readonly sql: string;
  readonly slots: readonly unknown[];
  constructor(sql: string, slots: readonly unknown[]) {
    this.sql = sql;
    this.slots = slots;
  }
}

function valuesOf(slots: readonly unknown[], own: readonly unknown[]): unknown[] {
  const values: unknown[] = [];
  for (const slot of slots) {
    if (slot instanceof PieceSlot) values.push(new RawQueryFragment(slot.sql, valuesOf(slot.slots, own)));
    else if (!isLeafSlot(slot)) values.push(slot);
    else {
      const value = own[slot.leaf];
      if (Array.isArray(value)) values.push(...(value as unknown[]));
      else values.push(value);
    }
  }
  return values;
}

const isLeafSlot = (slot: unknown): slot is LeafSlot => slot instanceof LeafSlot;

function slotsOf(
  real: readonly unknown[],
  other: readonly unknown[],
  leaves: readonly unknown[],
  strange: readonly unknown[],
): unknown[] | undefined {
  if (real.length !== other.length) return undefined;
  const slots: unknown[] = [];
  for (let index = 0; index < other.length; index += 1) {
    const value = other[index];
    const piece = pieceSlot(real[index], value, leaves, strange);
    if (piece) {
      slots.push(piece);
      continue;
    }
    const leaf = strange.findIndex((own) => isSame(Array.isArray(own) ? own[0] : own, value));
    if (leaf < 0) {
      if (!isFixed(value, real[index])) return undefined;
      slots.push(value);
      continue;
    }
    const [given, made] = [leaves[leaf], strange[leaf]].map((one) => (Array.isArray(one) ? one : [one]));
    const isWhole = (made as unknown[]).every(
      (one, n) => isSame(one, other[index + n]) && isSame(given?.[n], real[index + n]),
    );
    if (!isWhole) return undefined;
    slots.push(new LeafSlot(leaf));
    index += (made as unknown[]).length - 1;
  }
  return slots;
}

/** The same piece of SQL with other values; one without values is the same in each call. */
function pieceSlot(
  real: unknown,
  other: unknown,
  leaves: readonly unknown[],
  strange: readonly unknown[],
): PieceSlot | undefined {
  if (!isRaw(real) || !isRaw(other) || real.sql !== other.sql || real.params.length === 0) return undefined;
  const slots = slotsOf(real.params, other.params, leaves, strange);
  return slots && new PieceSlot(real.sql, slots);
}

function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime();
  return Object.is(a, b);
}

/** An object may hold a value that is one of the call's own; a piece of SQL without values is the same in each call. */
function isFixed(a: unknown, b: unknown): boolean {
  if (isRaw(a) && isRaw(b)) return a.sql === b.sql && a.params.length === 0 && b.params.length === 0;
  return (typeof a !== 'object' || a === null) && Object.is(a, b);
}

/** A value of the same type that no program has. */
function otherThan(leaf: unknown, index: number): unknown {
  if (Array.isArray(leaf)) return leaf.map((_, n) => `\u{F8FF}tombstone-${index}-${n}\u{F8FF}`);
  switch (typeof leaf) {
    case 'string':
      return `\u{F8FF}tombstone-${index}\u{F8FF}`;
    case 'number':
      // A fraction of sixteen digits has no room for its half, and two of them would be one number.
      return Number.isInteger(leaf) ? 7_263_548_100_000_000 + index : 726_354_810_000 + index + 0.5;
    case 'bigint':
      return 7_263_548_100_000_000_000n + BigInt(index);
    default:
      return leaf instanceof Date ? new Date(4_102_444_800_123 + index) : Buffer.from(`tombstone-${index}`);
  }
}
