import type { Configuration, EntityClass, EntitySchema } from '@mikro-orm/core';
import type { DomainErrors } from '../errors/index.ts';
import type { DoctorWaiver } from '../migrations/index.ts';
import type { ReplicaPatience } from './replica-patience.ts';

/** What the layer keeps in MikroORM's own options, beside the options that MikroORM knows. */
export interface LayerOptions {
  readonly domainErrors: DomainErrors;
  /** Whether the scope tells the tables' backstop that its writes may pass. */
  readonly backstop?: boolean | undefined;
  /** Whether a flush may write its changes in arrays; see {@link flushesQuickly}. */
  readonly quickFlush?: boolean | undefined;
  /** Whether the ORM's statements are sent with parameters and prepared; they are, unless this says `false`. */
  readonly preparedStatements?: boolean | undefined;
  readonly replicaPatience?: ReplicaPatience;
  /** Which classes belong to which module. */
  readonly modules?: readonly ModuleEntities[];
  readonly doctor?: DoctorHints | undefined;
}

/** What the schema doctor is told beside the entities. */
export interface DoctorHints {
  /** Names of columns that mark rows as deleted in tables without an entity, beside `deleted_at`. */
  readonly marks?: readonly string[];
  /** For tables of no module. */
  readonly waivers?: readonly DoctorWaiver[];
}

/** The part of a module that the tool needs to find its tables. */
export interface ModuleEntities {
  readonly name: string;
  readonly entities: readonly (EntityClass<object> | EntitySchema)[];
  readonly waivers?: readonly DoctorWaiver[];
}

/** The key in the options; a configuration without it (plain `defineConfig`) has no domain errors. */
export const LAYER_OPTIONS = 'tombstone';

/** The domain errors of all configured modules. */
export function domainErrorsOf(config: Configuration): DomainErrors {
  return layerOptionsOf(config)?.domainErrors ?? { constraints: {}, notFound: {} };
}

/** Whether the configuration says that tables have a backstop. */
export function hasBackstop(config: Configuration): boolean {
  return layerOptionsOf(config)?.backstop === true;
}

/** Whether a flush may go past the core's change sets and its statements: unless the configuration says no to that, or to preparing. */
export function flushesQuickly(config: Configuration): boolean {
  return preparesStatements(config) && layerOptionsOf(config)?.quickFlush !== false;
}

/** Whether the ORM's statements, and those of `runPrepared`, are prepared: what `defineDataConfig` says, and it is so by default. */
export function preparesStatements(config: Configuration): boolean {
  const options = layerOptionsOf(config);
  return options !== undefined && options.preparedStatements !== false;
}

/** What the configuration says to the layer; undefined for one that `defineDataConfig` did not make. */
export function layerOptionsOf(config: Configuration): LayerOptions | undefined {
  return config.get(LAYER_OPTIONS as never);
}
