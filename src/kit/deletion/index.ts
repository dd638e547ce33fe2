export { batchId, type BatchId } from './batch-id.ts';
export { batchOfKey } from './batch-of-key.ts';
export type { BatchState, BatchSummary, FallenRows } from './batch-summary.ts';
export { type DeletionContext, type DeletionFacts, withDeletionContext } from './context.ts';
export { declaredRelations } from './declared-relations.ts';
export { deleteRows } from './delete-rows.ts';
export { type DeletionCounts } from './delete-tree.ts';
export { type BatchDescription, type BatchStep, describeBatch } from './describe-batch.ts';
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
export { type BatchFilter, type BatchPage, listBatches } from './list-batches.ts';
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
export { type ChangedPolicy, restoreRefusal } from './restore-refusal.ts';
export { countUnjournaled, type UnjournaledRows } from './count-unjournaled.ts';
export { type DeletedKey, type DeletedKeys, listDeleted } from './list-deleted.ts';
export type { ChangedRows, RestorePreview, RowsByConstraint, RowsOf } from './restore-preview.ts';
export { erase, type ErasureOptions, previewErasure, type Scrub } from './erasure/erase.ts';
export { ErasureError, type ErasureErrorCode, type Held } from './erasure/erasure-error.ts';
export type { ErasedEntries, ErasedRows, ErasureProof } from './erasure/erasure-proof.ts';
export { erasuresOf } from './erasure/proofs.ts';
export { purge, type PurgeOptions, type PurgeProgress } from './retention/purge.ts';
export type { HeldRows, PurgeBlocker, PurgeFindings, PurgeReport } from './retention/purge-report.ts';
export { retention, type RetentionPolicy } from './retention/retention.ts';
export { RetentionError, type RetentionErrorCode } from './retention/retention-error.ts';
export type { PurgeScope } from './retention/subject.ts';
