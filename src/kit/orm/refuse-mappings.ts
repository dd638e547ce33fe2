import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { DELETED_AT, isSoftDeletable, upsertPolicyOf } from '../soft-delete/index.ts';
import { refuseDeadTargets } from './refuse-dead-targets.ts';
import { SoftDeleteError } from './soft-delete-error.ts';
import { hasLiveOnlyUnique } from './upsert-target.ts';

/**
 * Refuses, when the ORM starts, the mappings that soft delete cannot serve.
 *
 * @throws SoftDeleteError naming the entity and what to change.
 */
export function refuseUnsafeMappings(metadata: Iterable<EntityMetadata>): void {
  for (const meta of metadata) {
    const marked = isSoftDeletable(meta);
    const hasColumn = DELETED_AT in meta.properties;
    if (marked && !hasColumn) {
      throw SoftDeleteError.mapping(
        meta.className,
        'is registered as soft-deletable but has no deletedAt. Spread softDelete.properties() into its properties.',
      );
    }
    if (!marked && hasColumn && !meta.abstract && !meta.virtual && !meta.embeddable) {
      throw SoftDeleteError.mapping(
        meta.className,
        'has deletedAt but is not registered as soft-deletable. Call softDelete.register(Class) beside setClass.',
      );
    }
    if (marked && upsertPolicyOf(meta) === 'beside' && !meta.abstract && !hasLiveOnlyUnique(meta)) {
      throw SoftDeleteError.mapping(
        meta.className,
        "upserts beside deleted rows, but none of its uniques is for live rows only. Declare one with where: { deletedAt: null }, or register 'refuse' or 'revive'.",
      );
    }
    if (marked && (meta.inheritanceType === 'tpt' || meta.tptParent)) {
      throw SoftDeleteError.mapping(
        meta.className,
        'is part of a table-per-type hierarchy, whose child tables an update can reach without the parent. Use single-table inheritance.',
      );
    }
    if (marked) refuseUnsafeMark(meta);
    for (const prop of meta.relations) refuseUnsafeRelation(meta, prop);
    refuseDeadTargets(meta, metadata);
  }
}

/** Rows that the predicate could not tell apart, or that another entity of the same table would show without it. */
function refuseUnsafeMark(meta: EntityMetadata): void {
  const mark = meta.properties[DELETED_AT as never] as EntityProperty;
  if (meta.embeddable) {
    throw SoftDeleteError.mapping(
      meta.className,
      'is embedded in the rows of other entities, and cannot be deleted by itself. Register the entities that embed it.',
    );
  }
  if (!mark.nullable || mark.persist === false || mark.formula) {
    throw SoftDeleteError.mapping(
      meta.className,
      'has a deletedAt that is not a nullable column of its table. Spread softDelete.properties() into its properties.',
    );
  }
  if (!isSoftDeletable(meta.root)) {
    throw SoftDeleteError.mapping(
      meta.className,
      `shares the table of ${meta.root.className}, which is not soft-deletable and would show its deleted rows. Move the mixin to ${meta.root.className}.`,
    );
  }
}

/**
 * MikroORM 7.2.1 joins the table of another class there, and leaves the discriminator out: `$some`, conditions and joins
 * answer by rows that have nothing to do with the relation, so that no predicate on them could be right.
 */
function refuseUnsafeRelation(meta: EntityMetadata, prop: EntityProperty): void {
  if (prop.kind !== ReferenceKind.MANY_TO_MANY || !prop.polymorphic) return;
  const ends = [meta, ...((prop.polymorphTargets ?? [prop.targetMeta]) as EntityMetadata[])];
  if (!ends.some((end) => isSoftDeletable(end))) return;
  throw SoftDeleteError.mapping(
    `${meta.className}.${prop.name}`,
    'is a polymorphic many-to-many relation, which the ORM joins to the wrong table. Map the link table as an entity with a polymorphic to-one relation.',
  );
}
