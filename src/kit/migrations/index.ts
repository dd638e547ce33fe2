export { Backfills, type BackfillStatus } from './backfill/backfills.ts';
export { BackfillUnverifiedError } from './backfill/errors.ts';
export type { BackfillEvent } from './backfill/event.ts';
export type { Differences } from './backfill/ledger.ts';
export { checksumOf } from './checksum.ts';
export { createMigration, type NewMigration } from './create.ts';
export {
  ChecksumMismatchError,
  MigrationError,
  type MigrationErrorCode,
  MigrationFailedError,
  MigrationSyntaxError,
} from './errors.ts';
export type { MigrationFile, MigrationSource } from './files.ts';
export { LOCK_ID } from './lock.ts';
export { describeHolder, type LockHolder } from './lock-holder.ts';
export { LockTimeoutError } from './lock-timeout-error.ts';
export type { ExecutionEvent, MigrationEvent } from './events.ts';
export type { InDoubt } from './execution.ts';
export { type MigrationResult, type MigrationStep, Migrator, type MigratorOptions } from './migrator.ts';
export { type ParsedMigration, parseMigration, type Statement } from './parse.ts';
export type { DownOptions, UpOptions } from './plan.ts';
export type { MigrationState, MigrationStatus } from './status.ts';
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
export { describeTarget } from './target.ts';
export type { TimeoutOptions } from './timeouts.ts';
