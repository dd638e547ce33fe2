import type { EntityClass, EntitySchema } from '@mikro-orm/core';
import type { DomainErrors } from '../errors/index.ts';
import type { Adoption, DoctorWaiver, MigrationOrder } from '../migrations/index.ts';

/** One bounded context as the composition sees it: what it maps, where its schema comes from, what its errors mean. */
export interface Module {
  /** Lower case; also the name of its migration folder and the first part of a file's name in the ledger. */
  readonly name: string;
  /** Absolute path of the folder that holds its `NNN_description.sql` files. */
  readonly migrations: string;
  /** How its files are named and ordered; by number when left out. */
  readonly migrationOrder?: MigrationOrder;
  /** Refuse files without goose annotations, which otherwise are Up as a whole. */
  readonly requireAnnotations?: boolean;
  readonly entities: readonly (EntityClass<object> | EntitySchema)[];
  /** Tables that the migrations create and no entity maps. */
  readonly unmappedTables?: readonly string[];
  readonly errors?: DomainErrors;
  /** What `tombstone doctor` would find in its tables, and why it is meant. */
  readonly waivers?: readonly DoctorWaiver[];
  /** What `tombstone migrate adopt` should know of databases that another program has made. */
  readonly adoption?: Adoption;
}

const NAME = /^[a-z][a-z0-9_]*$/;

/**
 * Describes a module; the same function serves this package's modules and another service's own.
 *
 * @throws TypeError when the name could not be a folder's name in every file system.
 */
export function defineModule(module: Module): Module {
  if (!NAME.test(module.name)) {
    throw new TypeError(
      `The module name must be lower-case letters, digits and underscores, not ${JSON.stringify(module.name)}.`,
    );
  }
  return module;
}
