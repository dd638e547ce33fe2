/** The kit's daily words; it loads no module. */
export type { DataError, DomainError, DomainErrors } from './kit/errors/index.ts';
export {
  BackstopError,
  CheckError,
  ConcurrencyError,
  ConflictError,
  driverErrorOf,
  ForeignKeyError,
  InvalidDataError,
  InvalidInputError,
  isDataError,
  LockNotAvailableError,
  MissingValueError,
  NotFoundError,
  QueryError,
  QueryTimeoutError,
  RolledBackError,
  SoftDeletedRowError,
  UnavailableError,
} from './kit/errors/index.ts';
export { type Amount, bigintId, type Id, money, timestamps } from './kit/columns/index.ts';
export {
  type DeadTarget,
  isLive,
  isTrashed,
  type Live,
  softDelete,
  type SoftDeleteOptions,
  type Trashed,
  type UpsertPolicy,
} from './kit/soft-delete/index.ts';
export {
  checkBackstop,
  DataDriver,
  DataEntityManager,
  DataRepository,
  type DoctorHints,
  live,
  LiveFragment,
  liveSql,
  type PreparedStatement,
  type ReplicaPatience,
  runPrepared,
  SoftDeleteError,
  type StoredInstant,
  storedInstant,
  type TrashReads,
  unitOfWork,
  type RowChange,
  type UpdateManyOptions,
} from './kit/orm/index.ts';
export {
  checkAmount,
  checkId,
  checkIds,
  checkInteger,
  checkOptionalId,
  checkText,
} from './kit/input/index.ts';
export { clampPage, containsPattern, type Page, pageOf, type PageRequest } from './kit/queries/index.ts';
export { type RetryOptions, retryTransaction } from './kit/transactions/index.ts';
export {
  type DataConfig,
  type DataConfigInput,
  defineDataConfig,
  defineModule,
  doctorConfig,
  type DoctorConfig,
  deletionJournal,
  type Module,
} from './kit/config/index.ts';
