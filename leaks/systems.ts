import { type EntityMetadata, MikroORM } from '@mikro-orm/core';
import { type Options, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { defineDataConfig, defineModule } from 'tombstone';
import { type LeakReport, runLeakSuite } from 'tombstone/testing';
import { kindsEntities } from '../test/kit/fixtures/kinds-model.ts';
import { libraryEntities } from '../test/kit/fixtures/library-model.ts';
import { museumEntities } from '../test/kit/fixtures/museum-model.ts';
import {
  KINDS_EXCEPTIONS,
  KINDS_VIEWS,
  LIBRARY_EXCEPTIONS,
  MUSEUM_EXCEPTIONS,
} from '../test/kit/fixtures/model-exceptions.ts';
import type { Reports } from './matrix.ts';
import { recipeFilter, RecipeSubscriber, withoutRecipe } from './recipe.ts';

const EXCEPT = { ...LIBRARY_EXCEPTIONS, ...KINDS_EXCEPTIONS, ...MUSEUM_EXCEPTIONS };
const SUITE = { except: EXCEPT, views: KINDS_VIEWS };

const entities = [...libraryEntities, ...kindsEntities, ...museumEntities];
const plain = (clientUrl: string, options: Partial<Options> = {}): Options =>
  ({ driver: PostgreSqlDriver, clientUrl, entities, extensions: [], ...options }) as Options;

async function measure(options: object, run: (orm: MikroORM) => Promise<LeakReport>): Promise<LeakReport> {
  const orm = await MikroORM.init(options as never);
  try {
    return await run(orm as never);
  } finally {
    await orm.close();
  }
}

/** Creates the model's tables. */
export async function createModel(url: string): Promise<void> {
  const orm = await MikroORM.init(tombstoneOptions(url) as never);
  await (orm as unknown as { schema: { create(): Promise<void> } }).schema.create();
  await orm.close();
}

const tombstoneOptions = (clientUrl: string): object =>
  defineDataConfig({
    clientUrl,
    modules: [defineModule({ name: 'library', migrations: '/nowhere', entities })],
  });

export interface Comparison {
  readonly reports: Reports;
  readonly metadata: readonly EntityMetadata[];
}

/** The layer, the documented recipe, and the ORM as it comes, on the same tables and with the same probes. */
export async function compare(url: string): Promise<Comparison> {
  const names = entities.map((entity) => (entity as { name: string }).name);
  const recipe = plain(url, {
    filters: { softDelete: recipeFilter(names) },
    subscribers: [new RecipeSubscriber()],
  });
  let metadata: readonly EntityMetadata[] = [];
  const reports = {
    tombstone: await measure(tombstoneOptions(url), (orm) => {
      metadata = [...(orm.getMetadata() as unknown as Iterable<EntityMetadata>)];
      return runLeakSuite(orm, SUITE);
    }),
    recipe: await measure(recipe, (orm) =>
      runLeakSuite(orm, { ...SUITE, guardOff: (em, work) => withoutRecipe(() => work(em)) }),
    ),
    stock: await measure(plain(url), (orm) =>
      runLeakSuite(orm, { ...SUITE, guardOff: (em, work) => work(em) }),
    ),
  };
  return { reports, metadata };
}
