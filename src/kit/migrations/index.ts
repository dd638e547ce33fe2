export { checksumOf } from './checksum.ts';
export { createMigration, type NewMigration } from './create.ts';
export {
  ChecksumMismatchError,
  MigrationError,
  type MigrationErrorCode,
  MigrationFailedError,
  MigrationSyntaxError,
} from './errors.ts';
export type { MigrationFile, MigrationNote, MigrationSource } from './files.ts';
export { LOCK_ID } from './lock.ts';
export {
  type MigrationEvent,
  type MigrationResult,
  type MigrationStep,
  Migrator,
  type MigratorOptions,
} from './migrator.ts';
export {
  type ParsedMigration,
  parseMigration,
  type ParseNote,
  type ParseOptions,
  type Statement,
} from './parse.ts';
export type { DownOptions, UpOptions } from './plan.ts';
export type { MigrationState, MigrationStatus } from './status.ts';
export type { Variables } from './substitute.ts';
export { describeTarget } from './target.ts';
