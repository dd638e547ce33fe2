import {
  type Dictionary,
  type EntityMetadata,
  type EntityProperty,
  helper,
  type PopulateOptions,
  Reference,
  ReferenceKind,
  Utils,
} from '@mikro-orm/core';

type Hint = PopulateOptions<object>;

/** A populated to-one relation that the statement of a read joins. */
interface JoinedRelation {
  readonly prop: EntityProperty;
  /** Which of the hints of its level it is. */
  readonly hint: number;
  readonly fields: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
  readonly below: readonly JoinedRelation[];
}

/** What a read populates, where its statement joins all of it. */
export interface JoinedPopulate {
  readonly hints: readonly Hint[];
  readonly relations: readonly JoinedRelation[];
}

interface Fields {
  readonly fields: readonly string[] | undefined;
  readonly exclude: readonly string[] | undefined;
}

type JoinedProps = (meta: EntityMetadata, populate: readonly Hint[]) => readonly Hint[];

/** The relations of a read whose statement joins all that it populates; undefined where another statement may follow. */
export function joinedPopulate(
  meta: EntityMetadata,
  hints: readonly Hint[],
  options: Fields,
  joinedProps: JoinedProps,
): JoinedPopulate | undefined {
  const relations = relationsOf(meta, hints, options, joinedProps);
  return relations && { hints, relations };
}

function relationsOf(
  meta: EntityMetadata,
  hints: readonly Hint[],
  options: Fields,
  joinedProps: JoinedProps,
): JoinedRelation[] | undefined {
  const joined = new Set(joinedProps(meta, hints));
  const relations: JoinedRelation[] = [];
  for (const [place, hint] of hints.entries()) {
    const prop = meta.properties[hint.field] as EntityProperty | undefined;
    // Columns are read by the statement, or are lazy and not asked for by a read.
    if (prop?.kind === ReferenceKind.SCALAR && !hint.all) continue;
    if (!prop?.targetMeta || !isPlainToOne(prop) || !joined.has(hint) || !isPlainHint(hint)) return undefined;
    const [fields, exclude] = [options.fields, options.exclude].map((names) => namesBelow(prop.name, names));
    const below = relationsOf(prop.targetMeta, hint.children ?? [], { fields, exclude }, joinedProps);
    if (!below) return undefined;
    relations.push({ prop, hint: place, fields, exclude, below });
  }
  return relations;
}

/** Only the owning side: what is not there on the other one has to be asked for. */
function isPlainToOne({ kind, owner, mapToPk, polymorphic, targetKey, object }: EntityProperty): boolean {
  const isOwner = kind === ReferenceKind.MANY_TO_ONE || (kind === ReferenceKind.ONE_TO_ONE && owner);
  return isOwner && !mapToPk && !polymorphic && !targetKey && !object;
}

const isPlainHint = ({ all, dataOnly, limit, orderBy }: Hint): boolean =>
  !all && !dataOnly && limit === undefined && orderBy === undefined;

function namesBelow(name: string, names: readonly string[] | undefined): string[] | undefined {
  const prefix = `${name}.`;
  const below = names?.flatMap((one) => (one.startsWith(prefix) ? [one.slice(prefix.length)] : []));
  return below?.length ? below : undefined;
}

/** Hints of its own for each call: the layer and the core write into them, and entities keep them. */
export function copyHints(hints: readonly Hint[]): Hint[] {
  return hints.map((hint) => ({
    ...hint,
    ...(hint.children && { children: copyHints(hint.children as Hint[]) }),
  }));
}

/** The targets of a relation of some entities, and theirs. */
export interface Level {
  readonly relation: JoinedRelation;
  readonly targets: readonly object[];
  readonly below: readonly Level[];
}

/**
 * All that is populated, where all of it is there, as the core's loader would find out by looking for each entity again; undefined
 * where something is missing.
 */
export function settledLevels(
  entities: readonly object[],
  relations: readonly JoinedRelation[],
): Level[] | undefined {
  const levels: Level[] = [];
  for (const relation of relations) {
    const targets = targetsOf(entities, relation);
    if (!targets.every((target) => isLoaded(target, relation))) return undefined;
    const below = settledLevels(targets, relation.below);
    if (!below) return undefined;
    levels.push({ relation, targets, below });
  }
  return levels;
}

function isLoaded(target: object, { fields }: JoinedRelation): boolean {
  const { __initialized: isInitialized, __loadedProperties: names } = helper(target);
  return (
    isInitialized &&
    (!fields || fields.every((name) => name.includes('.') || name === '*' || names.has(name)))
  );
}

/** What the core's loader does with entities of which all is there: it tells them what was populated. */
export function tellPopulate(
  entities: readonly object[],
  hints: readonly Hint[],
  levels: readonly Level[],
  { fields, exclude }: Fields,
): void {
  for (const entity of entities) {
    helper(entity).setSerializationContext({ populate: hints, fields, exclude } as never);
  }
  for (const { relation, targets, below } of levels) {
    const children = (hints[relation.hint]?.children ?? undefined) as readonly Hint[] | undefined;
    if (children) tellPopulate(targets, children, below, relation);
  }
}

function targetsOf(entities: readonly object[], { prop }: JoinedRelation): object[] {
  const targets = new Set<object>();
  for (const entity of entities) {
    const value = (entity as Dictionary)[prop.name] as object | null | undefined;
    if (value === null || value === undefined) continue;
    if (Utils.isEntity(value, true)) targets.add(Reference.unwrapReference(value as never));
  }
  return [...targets];
}
