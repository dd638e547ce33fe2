import type { EntityMetadata } from '@mikro-orm/core';
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
    if (!marked && hasColumn && !meta.abstract && !meta.virtual) {
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
    refuseDeadTargets(meta, metadata);
  }
}
