export { batchId, type BatchId } from './batch-id.ts';
export { type DeletionContext, type DeletionFacts, withDeletionContext } from './context.ts';
export { deleteRows } from './delete-rows.ts';
export { type DeletionCounts } from './delete-tree.ts';
export { deletion } from './deletion.ts';
export { DeletionError } from './errors.ts';
export { type DeletePlan, explainDelete, formatDeletePlan, type PlanStep } from './explain.ts';
export { ForgetFallen } from './forget-fallen-subscriber.ts';
export { checkDeletion } from './graph-of.ts';
export { HoldError, type HoldErrorCode } from './holds/hold-error.ts';
export {
  type Hold,
  type HoldQuery,
  type HoldRequest,
  holdsOf,
  placeHold,
  releaseHold,
} from './holds/holds.ts';
export { type JournalEntry } from './journal.ts';
export { type DeletePolicy, type LinkPolicy, type RelationPolicies } from './policy.ts';
export { type Deletion } from './remove-rows.ts';
export { type Blocker, DeletionRestrictedError } from './restricted-error.ts';
export {
  deletionOf,
  type DeletedRow,
  previewRestore,
  type Restoration,
  restore,
  type RestoreOptions,
} from './restore.ts';
export { RestoreError, type RestoreErrorCode } from './restore-error.ts';
export type { ChangedRows, RestorePreview, RowsByConstraint, RowsOf } from './restore-preview.ts';
export { purge, type PurgeOptions, type PurgeProgress } from './retention/purge.ts';
export type { HeldRows, PurgeBlocker, PurgeFindings, PurgeReport } from './retention/purge-report.ts';
export { retention, type RetentionPolicy } from './retention/retention.ts';
export { RetentionError, type RetentionErrorCode } from './retention/retention-error.ts';
export type { PurgeScope } from './retention/subject.ts';
