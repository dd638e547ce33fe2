import {
  type EntityClass,
  EntitySchema,
  type Options as CoreOptions,
  type MetadataStorage,
  type Platform,
} from '@mikro-orm/core';
import type { Options } from '@mikro-orm/postgresql';
import { ForgetFallen } from '../deletion/index.ts';
import { mergeDomainErrors, NotFoundError } from '../errors/index.ts';
import type { MigrationSource } from '../migrations/index.ts';
import {
  checkedPatience,
  DataDriver,
  DataEntityManager,
  DataRepository,
  type DoctorHints,
  LAYER_OPTIONS,
  Migrator,
  PostgresNamingStrategy,
  refuseUnsafeMappings,
  type ReplicaPatience,
} from '../orm/index.ts';
import {
  isSoftDeletable,
  KeepForeignKeys,
  SOFT_DELETE_FILTER,
  softDeleteFilter,
} from '../soft-delete/index.ts';
import type { Module } from './module.ts';

/** MikroORM's options, the modules, and what the layer needs. */
export type DataConfigInput = Omit<Options, 'driver' | 'entityManager' | 'entities' | 'clientUrl'> & {
  /** `postgresql://user@host:port/database`; read it from the environment, never write it into a file. */
  readonly clientUrl: string;
  /** In the order in which their migrations run. */
  readonly modules: readonly Module[];
  /**
   * Says that tables have the backstop of `tombstone backstop`: the work of `skipSoftDelete` then runs in a transaction, which
   * tells the database that its writes may pass. Without it nothing is sent.
   */
  readonly backstop?: boolean;
  /**
   * Whether a flush may write many changes by one prepared statement with arrays; true when left out. With false every flush is
   * MikroORM's own, as it is without prepared statements.
   */
  readonly quickFlush?: boolean;
  /**
   * `false` sends every statement with its values in the text, as stock MikroORM does, and none under a name. Say so behind a
   * pooler that gives each transaction another server session and does not know prepared statements.
   */
  readonly preparedStatements?: boolean;
  /** How long a list bears with a replica that does not answer; what is left out keeps its default. */
  readonly replicaPatience?: Partial<ReplicaPatience>;
  /** What `tombstone doctor` should know beside the entities. */
  readonly doctor?: DoctorHints;
};

/** Options for `MikroORM.init`, typed so that `orm.em` is a {@link DataEntityManager}. */
export type DataConfig = Partial<CoreOptions<DataDriver, DataEntityManager>>;

/**
 * Turns modules into options for `MikroORM.init`. Everything that MikroORM knows may be passed too and wins, but for what
 * makes the rules hold: the driver, the entity manager and the soft-delete filter.
 *
 * @throws InvalidInputError (code VALIDATION) for a patience with replicas that is none.
 */
export function defineDataConfig(input: DataConfigInput): DataConfig {
  const { modules, backstop, doctor, quickFlush, preparedStatements, replicaPatience, ...others } = input;
  const { filters, subscribers, extensions, discovery, migrations, ...options } = others;
  const domainErrors = mergeDomainErrors(modules.flatMap((module) => module.errors ?? []));
  const entities = modules.flatMap((module) => [...module.entities]);
  return {
    forceUtcTimezone: true,
    findOneOrFailHandler: (entityName) => new NotFoundError(entityName, domainErrors),
    namingStrategy: PostgresNamingStrategy,
    ...options,
    schemaGenerator: {
      // The comparison with the database would otherwise propose to drop the backstop, which no entity declares.
      ignoreTriggers: backstop === true,
      ...options.schemaGenerator,
      skipTables: skipTables(input),
    },
    entities,
    driver: DataDriver,
    entityManager: DataEntityManager,
    entityRepository: options.entityRepository ?? DataRepository,
    // It drops the owner of a dead target and makes the rows of a result depend on the projection.
    autoJoinRefsForFilters: false,
    filters: { ...filters, [SOFT_DELETE_FILTER]: softDeleteFilter(softDeletableNames(entities)) },
    subscribers: [new KeepForeignKeys(), new ForgetFallen(), ...(subscribers ?? [])],
    extensions: [Migrator, ...(extensions ?? [])],
    discovery: { ...discovery, afterDiscovered: refuseThen(discovery?.afterDiscovered) },
    migrations: {
      ...migrations,
      tableName: 'schema_migrations',
      snapshot: false,
      modules: modules.map(migrationsOf),
    } as Options['migrations'],
    [LAYER_OPTIONS]: {
      domainErrors,
      backstop,
      quickFlush,
      preparedStatements,
      modules,
      doctor,
      replicaPatience: checkedPatience(replicaPatience),
    },
  } as DataConfig;
}

function migrationsOf({
  name,
  migrations,
  migrationOrder,
  requireAnnotations,
  adoption,
}: DataConfigInput['modules'][number]): MigrationSource {
  return { name, migrations, migrationOrder, requireAnnotations, adoption };
}

/** Tables without an entity, which the comparison with the database would otherwise propose to drop. */
function skipTables({ modules, schemaGenerator }: DataConfigInput): (string | RegExp)[] {
  return [
    // The engine's own, beside the ledger that the ORM knows as its table of migrations.
    'schema_migration_tokens',
    'schema_migration_audit',
    'schema_migrations_journal',
    'schema_migration_backfills',
    'schema_migration_code_versions',
    'schema_migration_floors',
    'schema_migration_waivers',
    ...(schemaGenerator?.skipTables ?? []),
    ...modules.flatMap((module) => module.unmappedTables ?? []),
  ];
}

type AfterDiscovered = NonNullable<Options['discovery']>['afterDiscovered'];

function refuseThen(next: AfterDiscovered): AfterDiscovered {
  return (storage: MetadataStorage, platform: Platform) => {
    refuseUnsafeMappings(storage);
    return next?.(storage, platform);
  };
}

function softDeletableNames(entities: readonly (EntityClass<object> | EntitySchema)[]): string[] {
  return entities
    .map((entity) => (entity instanceof EntitySchema ? (entity.meta.class as EntityClass<object>) : entity))
    .filter((target) => target && isSoftDeletable({ class: target } as never))
    .map((target) => target.name);
}
