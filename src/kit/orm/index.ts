export { DataDriver } from './data-driver.ts';
export { DataEntityManager } from './data-entity-manager.ts';
export { DataRepository } from './data-repository.ts';
export { domainErrorsOf, LAYER_OPTIONS, type LayerOptions } from './layer-options.ts';
export { Migrator } from './migrator.ts';
export { PostgresNamingStrategy } from './naming-strategy.ts';
export { type PreparedStatement, runPrepared } from './prepared-statement.ts';
export { refuseUnsafeMappings } from './refuse-mappings.ts';
export { SoftDeleteError } from './soft-delete-error.ts';
