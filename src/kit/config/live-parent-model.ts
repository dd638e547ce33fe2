import { type EntityMetadata, MikroORM } from '@mikro-orm/core';
import { declaredRelations } from '../deletion/index.ts';
import type { LiveParentModel } from '../migrations/index.ts';
import { backstopTables } from '../orm/index.ts';
import type { DataConfig } from './data-config.ts';

/** The soft-deletable tables and the relations of a configuration, with their delete policies. Opens no connection. */
export async function liveParentModel(config: DataConfig): Promise<LiveParentModel> {
  if (!config.entities?.length) return { tables: [], relations: [] };
  // The core asks for a target also where it never connects.
  const orm = await MikroORM.init({
    ...config,
    clientUrl: config.clientUrl || 'postgresql://localhost/none',
  });
  try {
    const metadata = [...(orm.getMetadata() as unknown as Iterable<EntityMetadata>)];
    const own = orm.config.getSchema(true);
    const mapped = metadata.filter(
      (meta) => meta.tableName && !meta.virtual && !meta.embeddable && !meta.view,
    );
    return {
      tables: backstopTables(metadata).map((table) => ({ ...table, schema: table.schema ?? own })),
      relations: declaredRelations(mapped).map(({ name, meta, columns, policy }) => ({
        name,
        schema: meta.root.schema ?? own,
        table: meta.root.tableName,
        columns,
        policy,
      })),
    };
  } finally {
    await orm.close();
  }
}
