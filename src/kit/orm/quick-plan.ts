import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { arrayColumnOf } from './array-column.ts';
import { type TrackedProperty, trackedProperty } from './tracked-property.ts';

/** What a flush needs to know of a class before it can do without the core's change sets. */
export interface QuickPlan {
  /** How each property is compared; undefined where only the core's comparison of whole snapshots will do. */
  readonly tracked: readonly TrackedProperty[] | undefined;
  /** Relations, each of which has to be looked at for something new. */
  readonly relations: readonly EntityProperty[];
  /** Properties that change with every update of the row. */
  readonly onUpdate: readonly EntityProperty[];
  /** A version that is counted up; one by the clock is left to the core. */
  readonly version: EntityProperty | undefined;
  /** The columns that may be written in arrays, by property; empty for a class whose changes go the core's way. */
  readonly columns: ReadonlyMap<string, string>;
  /** What the core checks the type of: a plain value by `typeof`, which is all that is asked first. */
  readonly validated: readonly EntityProperty[];
}

const known = new WeakMap<EntityMetadata, QuickPlan>();

/** The plan of a class, made once. */
export function quickPlan(meta: EntityMetadata): QuickPlan {
  const before = known.get(meta);
  if (before) return before;
  const plan = makePlan(meta);
  known.set(meta, plan);
  return plan;
}

function makePlan(meta: EntityMetadata): QuickPlan {
  const tracked = meta.comparableProps.map(trackedProperty);
  const hasAll = tracked.every((one) => one !== undefined) && meta.inheritanceType === undefined;
  return {
    tracked: hasAll ? tracked : undefined,
    relations: meta.relations.filter((prop) => prop.persist !== false || prop.userDefined === false),
    onUpdate: meta.hydrateProps.filter((prop) => prop.onUpdate),
    version: meta.versionProperty ? meta.properties[meta.versionProperty] : undefined,
    columns: isWritable(meta) ? columnsOf(meta) : new Map<string, string>(),
    validated: meta.validateProps,
  };
}

/** A unique property may have to be emptied first, and what the database computes has to be read row by row. */
function columnsOf(meta: EntityMetadata): Map<string, string> {
  const columns = new Map<string, string>();
  for (const prop of meta.comparableProps) {
    const column = prop.primary || prop.unique ? undefined : arrayColumnOf(prop);
    if (column !== undefined) columns.set(prop.name, column);
  }
  return new Set(columns.values()).size === columns.size ? columns : new Map<string, string>();
}

function isWritable(meta: EntityMetadata): boolean {
  const isPlain = !meta.view && !meta.virtual && !meta.embeddable && !meta.readonly;
  const isAlone = meta.inheritanceType === undefined && meta.root === meta && !meta.discriminatorMap;
  const isComputed = meta.props.some((prop) => prop.generated || (prop.version && !isCounted(prop)));
  const hasChecks = meta.getOwnConcurrencyCheckKeys().length > 0;
  return isPlain && isAlone && !isComputed && !hasChecks && !meta.props.some(changesInside);
}

function isCounted({ runtimeType, customType, fieldNames }: EntityProperty): boolean {
  return runtimeType === 'number' && !customType && fieldNames.length === 1;
}

/** An embedded object with a property that sets itself on update. */
function changesInside({ kind, targetMeta }: EntityProperty): boolean {
  if (kind !== ReferenceKind.EMBEDDED) return false;
  return (targetMeta?.props ?? []).some((prop) => prop.onUpdate || prop.kind === ReferenceKind.EMBEDDED);
}
