import {
  type EntityMetadata,
  type EntityProperty,
  helper,
  JsonType,
  type Platform,
  Raw,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';

/** A property whose change can be seen without a snapshot of the whole entity. */
export interface TrackedProperty {
  readonly name: string;
  readonly kind: 'plain' | 'date' | 'custom' | 'key';
  readonly prop: EntityProperty;
}

/** Types that the core compares by `!==`. */
const BY_VALUE = new Set(['string', 'number', 'bigint']);

/** How the property is watched; undefined for one that only the core's own comparison understands. */
export function trackedProperty(prop: EntityProperty): TrackedProperty | undefined {
  const kind = kindOf(prop);
  return kind && { name: prop.name, kind, prop };
}

function kindOf(prop: EntityProperty): TrackedProperty['kind'] | undefined {
  const { ref, getter, embedded, array, customType, polymorphic, kind } = prop;
  if (embedded || array || polymorphic || prop.targetKey || (getter && !prop.setter)) return undefined;
  const isToOne = kind === ReferenceKind.MANY_TO_ONE || kind === ReferenceKind.ONE_TO_ONE;
  if (isToOne && !prop.mapToPk) return isSimpleKey(prop.targetMeta as never) ? 'key' : undefined;
  if (ref || (kind !== ReferenceKind.SCALAR && !isToOne) || prop.fieldNames.length !== 1) return undefined;
  if (customType) {
    // Of JSON a snapshot holds the text.
    const hasOwn = customType.compareValues !== undefined || customType.constructor === JsonType;
    return hasOwn || BY_VALUE.has(customType.compareAsType().toLowerCase()) ? 'custom' : undefined;
  }
  if (isToOne) return undefined;
  if (prop.runtimeType === 'Date') return 'date';
  return ['string', 'number', 'boolean'].includes(prop.runtimeType) ? 'plain' : undefined;
}

function isSimpleKey(target: EntityMetadata): boolean {
  const [key, ...others] = target.getPrimaryProps();
  const type = key?.customType?.compareAsType() ?? key?.type ?? '';
  return key?.kind === ReferenceKind.SCALAR && others.length === 0 && BY_VALUE.has(type.toLowerCase());
}

/** The value as a snapshot has it. A symbol stands for what a snapshot could not hold yet: the key of a new row. */
export function snapshotValue(
  { kind, name, prop }: TrackedProperty,
  entity: object,
  platform: Platform,
): unknown {
  const value = (entity as Record<string, unknown>)[name];
  if (value === undefined || kind === 'plain' || kind === 'date') return value;
  if (kind === 'custom') {
    if (Raw.isKnownFragment(value)) return value;
    return prop.customType?.convertToDatabaseValue(value, platform, { mode: 'serialization' }) as unknown;
  }
  return value === null ? null : keyOf(value);
}

/** Also of a reference that is wrapped. */
function keyOf(value: unknown): unknown {
  const target = (value as { __helper?: unknown }).__helper
    ? (value as object)
    : ((value as { unwrap?(): object }).unwrap?.() ?? {});
  if (!(target as { __helper?: unknown }).__helper || !helper(target).hasPrimaryKey()) return UNKNOWN;
  return helper(target).getPrimaryKey(true);
}

export const UNKNOWN = Symbol('unknown');

/** The core's rule of what a change is: between null and undefined there is one in one direction only. */
export function isChanged({ kind, prop }: TrackedProperty, before: unknown, value: unknown): boolean {
  if (value === before) return false;
  if (value == null || before == null) {
    if (value == null && before == null) return value === null;
    return true;
  }
  if (kind === 'date') return (before as Date).valueOf() !== (value as Date).valueOf();
  if (kind === 'custom' && prop.customType?.compareValues)
    return !prop.customType.compareValues(before, value);
  return typeof value !== 'object' || !Utils.equals(before, value);
}
