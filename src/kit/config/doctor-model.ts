import { type EntityMetadata, MikroORM } from '@mikro-orm/core';
import type { BackstopTable, DoctorWaiver, ModelFacts, RelationFacts } from '../migrations/index.ts';
import { backstopTables, LAYER_OPTIONS, type LayerOptions, ownDeletionOf } from '../orm/index.ts';
import { declaredDeadTargets, isSoftDeletable, mayLoseTarget } from '../soft-delete/index.ts';
import type { DataConfig } from './data-config.ts';

/** What a configuration tells the doctor. */
export interface DoctorConfig {
  readonly model: ModelFacts;
  readonly marks: readonly string[];
  readonly waivers: readonly DoctorWaiver[];
}

/**
 * What entities and modules tell of soft delete; of a configuration that `defineDataConfig` has not made, as far as it has
 * entities. Opens no connection.
 */
export async function doctorConfig(config: DataConfig): Promise<DoctorConfig> {
  const { modules = [], doctor = {} } = ((config as Record<string, unknown>)[LAYER_OPTIONS] ??
    {}) as Partial<LayerOptions>;
  const { marks = [], waivers = [] } = doctor;
  return {
    model: config.entities?.length ? await modelOf(config) : {},
    marks,
    waivers: [...modules.flatMap((module) => module.waivers ?? []), ...waivers],
  };
}

async function modelOf(config: DataConfig): Promise<ModelFacts> {
  // The core asks for a target also where it never connects.
  const orm = await MikroORM.init({
    ...config,
    clientUrl: config.clientUrl || 'postgresql://localhost/none',
  });
  try {
    const metadata = [...(orm.getMetadata() as unknown as Iterable<EntityMetadata>)];
    const schema = orm.config.getSchema(true);
    const placed = (metas: readonly EntityMetadata[]): BackstopTable[] =>
      backstopTables(metas).map((table) => ({ ...table, schema: table.schema ?? schema }));
    return {
      tables: placed(metadata),
      relations: relationsOf(metadata),
      deletedByPolicy: placed(metadata.filter((meta) => ownDeletionOf(meta))),
    };
  } finally {
    await orm.close();
  }
}

/** Link tables without a class of their own cannot declare anything; of a hierarchy, its children speak. */
function relationsOf(metadata: readonly EntityMetadata[]): RelationFacts[] {
  const parents = new Set(metadata.filter((meta) => meta.root !== meta).map(({ root }) => root));
  return metadata
    .filter((meta) => meta.tableName && !meta.virtual && !meta.embeddable && !meta.view && !meta.pivotTable)
    .filter((meta) => !parents.has(meta))
    .flatMap((meta) =>
      meta.relations
        .filter(
          (prop) => mayLoseTarget(prop) && (prop.polymorphTargets ?? [prop.targetMeta]).some(isSoftDeletable),
        )
        .map(({ name }) => ({
          name: `${meta.className}.${name}`,
          isDeclared: declaredDeadTargets(meta)[name] !== undefined,
        })),
    );
}
