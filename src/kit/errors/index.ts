export { withoutEntity } from './core-errors.ts';
export { type DataError, isDataError } from './data-error.ts';
export { type DomainError, type DomainErrors, mergeDomainErrors } from './domain-errors.ts';
export { DriverErrorSummary, driverErrorOf } from './driver-error-summary.ts';
export { InvalidInputError } from './invalid-input-error.ts';
export { NotFoundError } from './not-found-error.ts';
export {
  BackstopError,
  CheckError,
  ConcurrencyError,
  ConflictError,
  ForeignKeyError,
  InvalidDataError,
  LockNotAvailableError,
  MissingValueError,
  QueryError,
  QueryTimeoutError,
  RolledBackError,
  UnavailableError,
} from './refusals.ts';
export { RuleError } from './rule-error.ts';
export { SoftDeletedRowError } from './soft-deleted-row-error.ts';
export { type PlanRefusal, planRefusalOf } from './plan-refusal.ts';
export { isSessionOver, keyIsTaken, lostRace, rolledBack, translateDriverError } from './translate.ts';
