import type { Configuration, EntityClass, EntitySchema } from '@mikro-orm/core';
import type { DomainErrors } from '../errors/index.ts';
import type { DoctorWaiver } from '../migrations/index.ts';

/** What the layer keeps in MikroORM's own options, beside the options that MikroORM knows. */
export interface LayerOptions {
  readonly domainErrors: DomainErrors;
  /** Whether the scope tells the tables' backstop that its writes may pass. */
  readonly backstop?: boolean | undefined;
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
  return optionsOf(config)?.domainErrors ?? { constraints: {}, notFound: {} };
}

/** Whether the configuration says that tables have a backstop. */
export function hasBackstop(config: Configuration): boolean {
  return optionsOf(config)?.backstop === true;
}

function optionsOf(config: Configuration): LayerOptions | undefined {
  return config.get(LAYER_OPTIONS as never);
}
