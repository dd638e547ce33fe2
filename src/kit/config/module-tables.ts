import { type EntityClass, EntitySchema, MikroORM } from '@mikro-orm/core';
import type { BackstopTable } from '../migrations/index.ts';
import { LAYER_OPTIONS, type LayerOptions, backstopTables } from '../orm/index.ts';
import type { DataConfig } from './data-config.ts';

/**
 * The soft-deletable tables of one module, as its entities and the configuration name them. Opens no connection.
 *
 * @returns undefined when the configuration was not made by `defineDataConfig`, or has no such module.
 */
export async function tablesOfModule(
  config: DataConfig,
  module: string,
): Promise<BackstopTable[] | undefined> {
  const { modules = [] } = ((config as Record<string, unknown>)[LAYER_OPTIONS] ??
    {}) as Partial<LayerOptions>;
  const entities = modules.find(({ name }) => name === module)?.entities;
  if (!entities) return undefined;
  const classes = new Set(entities.map(classOf));
  // The core asks for a target also where it never connects.
  const orm = await MikroORM.init({
    ...config,
    clientUrl: config.clientUrl || 'postgresql://localhost/none',
  });
  try {
    const metadata = [...orm.getMetadata()] as never as Parameters<typeof backstopTables>[0];
    const tables = backstopTables([...metadata].filter((meta) => classes.has(meta.class)));
    return tables.map((table) => ({ ...table, schema: table.schema ?? orm.config.getSchema(true) }));
  } finally {
    await orm.close();
  }
}

function classOf(entity: EntityClass<object> | EntitySchema): EntityClass<object> {
  return entity instanceof EntitySchema ? (entity.meta.class as EntityClass<object>) : entity;
}
