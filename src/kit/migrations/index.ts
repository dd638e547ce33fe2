export {
  BACKSTOP_SETTING,
  BACKSTOP_TRIGGERS,
  type BackstopOptions,
  type BackstopTable,
  backstopMigration,
  coveredByMigrations,
} from './backstop.ts';
export { checksumOf } from './checksum.ts';
export { createMigration, type NewMigration } from './create.ts';
export {
  ChecksumMismatchError,
  MigrationError,
  type MigrationErrorCode,
  MigrationFailedError,
  MigrationSyntaxError,
} from './errors.ts';
export { loadMigrations, type MigrationFile, type MigrationSource } from './files.ts';
export { LOCK_ID } from './lock.ts';
export {
  type MigrationEvent,
  type MigrationResult,
  type MigrationStep,
  Migrator,
  type MigratorOptions,
} from './migrator.ts';
export { type ParsedMigration, parseMigration, type Statement } from './parse.ts';
export type { DownOptions, UpOptions } from './plan.ts';
export type { MigrationState, MigrationStatus } from './status.ts';
export { describeTarget } from './target.ts';
