export { LIVE_COLUMN } from '../migrations/index.ts';
export { arrayLiteral } from './array-column.ts';
export { shownTable, backstopTables } from './backstop-tables.ts';
export { checkBackstop } from './check-backstop.ts';
export { DataDriver } from './data-driver.ts';
export { DataEntityManager } from './data-entity-manager.ts';
export { DataRepository } from './data-repository.ts';
export type { GuardedQueryBuilder } from './guarded-query-builder.ts';
export { liftingMarks } from './lifting-marks.ts';
export { live, LiveFragment } from './live-fragment.ts';
export { deletedAtColumn, instantsSetOnUpdate } from './live-predicate.ts';
export { liveSql } from './live-sql.ts';
export {
  type DoctorHints,
  domainErrorsOf,
  LAYER_OPTIONS,
  type LayerOptions,
  type ModuleEntities,
} from './layer-options.ts';
export { Migrator } from './migrator.ts';
export { type DeleteCall, type OwnDeletion, ownDeletionOf, setOwnDeletion } from './own-deletion.ts';
export { mayReadReplica, placeReads } from './place-reads.ts';
export { PostgresNamingStrategy } from './naming-strategy.ts';
export { changePrepared, type PreparedStatement, runPrepared } from './prepared-statement.ts';
export { refuseUnsafeMappings } from './refuse-mappings.ts';
export { checkedPatience, type ReplicaPatience, replicaPatienceOf } from './replica-patience.ts';
export type { ExactChange, RowChange, UpdateManyOptions } from './row-change.ts';
export { type RowReader, rowReader } from './row-reader.ts';
export { undoable } from './savepoint.ts';
export { scopedChange, scopedStatement } from './scoped-statement.ts';
export { listenToStatements, type SentStatement } from './sent-statements.ts';
export { SoftDeleteError } from './soft-delete-error.ts';
export { type StoredInstant, storedInstant, storedInstantOrNull } from './stored-instant.ts';
export type { TrashReads } from './trash-reads.ts';
export { unitOfWork } from './unit-of-work.ts';
