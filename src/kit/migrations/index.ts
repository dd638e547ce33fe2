export type {
  AcceptedObject,
  Adoption,
  AdoptionObstacle,
  AdoptionWarning,
  DataFile,
  DataRule,
  KnownFile,
  OnlineFile,
} from './adopt/adoption.ts';
export { type Adopted, adoptDatabase, type AdoptOptions, type AdoptProgress } from './adopt/adopt.ts';
export type { AdoptionEvent } from './adopt/adoption-event.ts';
export type { Blocker as AdoptionBlocker, HeldLock } from './adopt/align/align-step.ts';
export type { AdoptionPlan, ShownStep } from './adopt/describe-plan.ts';
export type { AdoptionState } from './adopt/state.ts';
export { Backfills, type BackfillStatus } from './backfill/backfills.ts';
export { BackfillUnverifiedError } from './backfill/errors.ts';
export type { BackfillEvent } from './backfill/event.ts';
export type { ReplicaEvent } from './backfill/replicas.ts';
export type { Differences } from './backfill/ledger.ts';
export type { BaselineOptions } from './baseline.ts';
export {
  BACKSTOP_SETTING,
  BACKSTOP_TRIGGERS,
  type BackstopOptions,
  type BackstopTable,
  backstopMigration,
  coveredByMigrations,
} from './backstop.ts';
export { checksumOf } from './checksum.ts';
export {
  checkDown,
  type CheckDownOptions,
  type DownProblem,
  type DownReport,
} from './down-check/check-down.ts';
export { diagnose, type Diagnosis, type DoctorOptions } from './doctor/doctor.ts';
export type { ModelFacts, RelationFacts } from './doctor/facts.ts';
export type { Ailment, DoctorFinding, DoctorRule } from './doctor/rule.ts';
export { DOCTOR_RULES } from './doctor/rules/index.ts';
export type { DoctorWaiver, WaivedFinding } from './doctor/waiver.ts';
export { readSchema } from './drift/read-schema.ts';
export type { SchemaDescription, SchemaObject } from './drift/description.ts';
export { describeDifference, differenceOf, type SchemaDifference } from './drift/difference.ts';
export { type Drift, type DriftFinding, type DriftOptions, findDrift } from './drift/drift.ts';
export type { PlannedFile, PlannedStatement, PlanOptions } from './dry-run.ts';
export { createMigration, type NewMigration } from './create.ts';
export {
  ChecksumMismatchError,
  type EditKind,
  type ErrorDetails,
  MigrationError,
  type MigrationErrorCode,
  MigrationFailedError,
  MigrationSyntaxError,
  type StatementCount,
} from './errors.ts';
export type { MigrationOrder } from './file-name.ts';
export { loadMigrations, type MigrationFile, type MigrationNote, type MigrationSource } from './files.ts';
export { lintMigrations, type LintOptions } from './lint/lint.ts';
export { LOCK_MODES, type LockMode, type TableLock } from './lint/locks.ts';
export type { LintFinding, LintRule, Severity } from './lint/rule.ts';
export { LINT_RULES } from './lint/rules/index.ts';
export { LiveParentError } from './live-parent/errors.ts';
export {
  type DeclaredRelation,
  type LiveParentModel,
  type LiveParentPlan,
  type LiveParentRequest,
  planLiveParent,
  planLiveParentValidation,
} from './live-parent/live-parent.ts';
export { dropsLiveParent, LIVE_COLUMN } from './live-parent/names.ts';
export { findOrphans, type Orphans } from './live-parent/orphans.ts';
export { LOCK_ID } from './lock.ts';
export { describeHolder, type LockHolder } from './lock-holder.ts';
export { LockTimeoutError } from './lock-timeout-error.ts';
export type { ExecutionEvent, MigrationEvent } from './events.ts';
export type { InDoubt } from './execution.ts';
export { Migrator } from './migrator.ts';
export type { MigrationResult, MigrationStep, MigratorOptions } from './options.ts';
export { parseMigration } from './parse.ts';
export type { ParsedMigration, ParseNote, ParseOptions, Statement } from './parsed-migration.ts';
export { type Lack, PartitionedIndexError } from './partitions/errors.ts';
export type { DownOptions, UpOptions } from './plan.ts';
export type { RunningCode } from './phases/code-versions.ts';
export type { Phase } from './phases/directive.ts';
export { ContractRefusedError, type Hindrances } from './phases/errors.ts';
export {
  type CodeVersion,
  registerCodeVersion,
  type Registration,
  type SqlRunner,
} from './phases/register.ts';
export type { Waiver } from './phases/waiver.ts';
export { rebuild, type RebuildOptions, type RebuildVariant } from './rebuild/rebuild.ts';
export type { Blocker, StatementProgress } from './progress/statement-progress.ts';
export type { Repair, RepairOptions } from './repair.ts';
export type { MigrationProgress, MigrationState, MigrationStatus } from './status.ts';
export { resetDatabase, type ResetOptions, type ResetResult } from './reset/reset.ts';
export {
  migrateOnStart,
  START_MODES,
  type StartMode,
  type StartOptions,
  type StartResult,
} from './start/migrate-on-start.ts';
export { tokenChecksumOf } from './token-checksum.ts';
export type { Variables } from './substitute.ts';
export { describeTarget } from './target.ts';
export type { TimeoutOptions } from './timeouts.ts';
