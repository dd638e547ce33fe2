export {
  type DeadTarget,
  deadTargetOf,
  declaredDeadTargets,
  hidingRelations,
  mayBeAbsent,
  mayLoseTarget,
  type ToOneRelation,
} from './dead-targets.ts';
export { SOFT_DELETE_FILTER, softDeleteCondition, softDeleteFilter } from './filter.ts';
export { KeepForeignKeys } from './keep-foreign-keys.ts';
export { keepReferences } from './keep-references.ts';
export { isSoftDeletable, type SoftDeleteOptions } from './marker.ts';
export { DELETED_AT, softDelete } from './mixin.ts';
export { REMOVALS_ONLY } from './removals-only.ts';
export {
  currentScope,
  type DeletedScope,
  guardsWrites,
  runInScope,
  type ScopeMode,
  type VisibleRows,
  visibleRows,
} from './scope.ts';
export { isLive, isTrashed, type Live, type Trashed } from './states.ts';
export { type UpsertPolicy, upsertPolicyOf } from './upsert-policy.ts';
