import { type EntityMetadata, MikroORM } from '@mikro-orm/core';
import { type Options, PostgreSqlDriver } from '@mikro-orm/postgresql';
import { defineDataConfig, defineModule } from 'tombstone';
import { type LeakReport, runLeakSuite } from 'tombstone/testing';
import { libraryEntities } from '../test/kit/fixtures/library-model.ts';
import { museumEntities } from '../test/kit/fixtures/museum-model.ts';
import type { Reports } from './matrix-page.ts';
import { recipeFilter, RecipeSubscriber, withoutRecipe } from './recipe.ts';

/** Verbs that MikroORM 7.2.1 itself fails to do for an entity of the model, with any layer or none. */
export const EXCEPT = {
  'Book.clone': 'the core names the column of an inverse one-to-one in the insert',
  'Genre.clone': 'the core reads a key back that it has not asked for',
  'Shelf.clone': 'the core reads a composite key back as one column',
  'Tag.clone': 'the core reads a key back that it has not asked for',
  'Book.genres $size': 'the core counts a column that the link table has not got',
} as const;

const INVERSE = 'the core names the column of an inverse one-to-one in the insert';
const COMPOSITE = 'the core reads a composite key back as one column';

/** The same for the model whose relations give each answer for a dead target. */
export const EXCEPT_MUSEUM = {
  'Painting.clone': INVERSE,
  'Painting.clone hidden by painter': INVERSE,
  'Sculpture.clone': INVERSE,
  'Permit.clone hidden by exhibit': COMPOSITE,
  'Place.clone': COMPOSITE,
} as const;

const entities = [...libraryEntities, ...museumEntities];
const except = { ...EXCEPT, ...EXCEPT_MUSEUM };
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
      return runLeakSuite(orm, { except });
    }),
    recipe: await measure(recipe, (orm) =>
      runLeakSuite(orm, { except, guardOff: (em, work) => withoutRecipe(() => work(em)) }),
    ),
    stock: await measure(plain(url), (orm) =>
      runLeakSuite(orm, { except, guardOff: (em, work) => work(em) }),
    ),
  };
  return { reports, metadata };
}
