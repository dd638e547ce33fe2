import { type FilterOptions, MikroORM } from '@mikro-orm/core';
import { defineEntity, p } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  bigintId,
  type DataDriver,
  type DataEntityManager,
  defineDataConfig,
  defineModule,
  softDelete,
} from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';

const DeskSchema = defineEntity({
  name: 'Desk',
  properties: {
    id: bigintId(),
    tenant: p.integer(),
    name: p.string(),
    pages: () => p.oneToMany(PageSchema).mappedBy('desk'),
    pins: () => p.manyToMany(PageSchema),
    ...softDelete.properties(),
  },
});
class Desk extends DeskSchema.class {}
DeskSchema.setClass(Desk);
softDelete.register(Desk);

const PageSchema = defineEntity({
  name: 'Page',
  properties: {
    id: bigintId(),
    tenant: p.integer(),
    name: p.string(),
    desk: () => p.manyToOne(DeskSchema),
    ...softDelete.properties(),
  },
});
class Page extends PageSchema.class {}
PageSchema.setClass(Page);
softDelete.register(Page);
softDelete.deadTargets(Page, { desk: 'null' });

/** A row of either table; a name says everything: `1+` is a live row of tenant 1, `2-` a dead one of tenant 2. */
interface Row {
  readonly tenant: number;
  readonly dead: boolean;
  readonly name: string;
}

const KINDS: readonly Row[] = [1, 2].flatMap((tenant) =>
  [false, true].map((dead) => ({ tenant, dead, name: `${tenant}${dead ? '-' : '+'}` })),
);

let orm: MikroORM<DataDriver, DataEntityManager>;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  const modules = [defineModule({ name: 'desks', migrations: '/nowhere', entities: [Desk, Page] })];
  orm = await MikroORM.init(
    defineDataConfig({
      clientUrl: url,
      modules,
      filters: {
        tenant: {
          cond: ({ tenant }: { tenant: number }) => ({ tenant }),
          default: true,
          entity: ['Desk', 'Page'],
        },
      },
    }),
  );
  await orm.schema.create();
});
afterAll(() => orm.close());

/** A desk of every kind, and on each a page of every kind, which is pinned to it, too. */
beforeEach(async () => {
  const sql = (rows: readonly string[]) => rows.join(', ');
  const instant = (row: Row) => (row.dead ? 'now()' : 'null');
  const desks = KINDS.map((row) => `(${row.tenant}, '${row.name}', ${instant(row)})`);
  const pages = KINDS.flatMap((_desk, index) =>
    KINDS.map((row) => `(${row.tenant}, '${row.name}', ${index + 1}, ${instant(row)})`),
  );
  await orm.em.fork().execute(`
    truncate desk, page, desk_pins restart identity;
    insert into desk (tenant, name, deleted_at) values ${sql(desks)};
    insert into page (tenant, name, desk_id, deleted_at) values ${sql(pages)};
    insert into desk_pins (desk_id, page_id) select desk_id, id from page;`);
});

const TENANTS = {
  on: { params: 1, filters: undefined, shows: (row: Row) => row.tenant === 1 },
  'of another one': { params: 2, filters: undefined, shows: (row: Row) => row.tenant === 2 },
  off: { params: 1, filters: { tenant: false }, shows: () => true },
  'off with all filters': { params: 1, filters: false, shows: () => true },
  'on, and soft delete switched off by name': {
    params: 1,
    filters: { softDelete: false },
    shows: (row: Row) => row.tenant === 1,
  },
} as const;

type Work<T> = (em: DataEntityManager) => Promise<T>;
type Mode = (typeof MODES)[keyof typeof MODES];
const MODES = {
  'normal code': {
    run: <T>(em: DataEntityManager, work: Work<T>) => work(em),
    reads: [false],
    changes: [false],
    deletes: [false],
  },
  withDeleted: {
    run: <T>(em: DataEntityManager, work: Work<T>) => em.withDeleted(work),
    reads: [false, true],
    changes: [false],
    deletes: [false],
  },
  onlyDeleted: {
    run: <T>(em: DataEntityManager, work: Work<T>) => em.onlyDeleted(work),
    reads: [true],
    changes: [],
    deletes: [],
  },
  skipSoftDelete: {
    run: <T>(em: DataEntityManager, work: Work<T>) => em.skipSoftDelete(work),
    reads: [false, true],
    changes: [false, true],
    deletes: [false, true],
  },
} as const;

const PAIRS = Object.entries(TENANTS).flatMap(([tenant, t]) =>
  Object.entries(MODES).map(([scope, mode]) => [tenant, scope, t, mode] as const),
);

describe.each(PAIRS)('the filter of a tenant %s, in %s', (_tenant, _scope, tenant, mode) => {
  const options: { filters?: FilterOptions } =
    tenant.filters === undefined ? {} : { filters: tenant.filters };
  const within = (dead: Mode['reads' | 'changes' | 'deletes']) => (row: Row) =>
    tenant.shows(row) && (dead as readonly boolean[]).includes(row.dead);
  const visible = KINDS.filter(within(mode.reads));
  const names = (rows: Iterable<unknown>) => [...rows].map((row) => (row as Row).name).toSorted();
  const expected = visible.map(({ name }) => name).toSorted();
  const inMode = <T>(work: Work<T>): Promise<T> => {
    const em = orm.em.fork();
    em.setFilterParams('tenant', { tenant: tenant.params });
    return mode.run(em, work);
  };

  it('find and count', async () => {
    expect(names(await inMode((em) => em.find(Desk, {}, options)))).toEqual(expected);
    expect(await inMode((em) => em.count(Desk, {}, options))).toBe(expected.length);
    const [one] = expected;
    expect(await inMode((em) => em.count(Desk, { name: '1+' }, options))).toBe(
      Number(expected.includes('1+')),
    );
    expect((await inMode((em) => em.findOne(Desk, { name: one ?? '?' }, options)))?.name).toBe(one);
  });

  it.each(['joined', 'select-in', 'balanced'] as const)('populate %s', async (strategy) => {
    const desks = await inMode((em) =>
      em.find(Desk, {}, { ...options, populate: ['pages', 'pins'], strategy }),
    );
    expect(names(desks)).toEqual(expected);
    for (const { pages, pins } of desks) expect([names(pages), names(pins)]).toEqual([expected, expected]);
    const pages = await inMode((em) => em.find(Page, {}, { ...options, populate: ['desk'], strategy }));
    expect(pages).toHaveLength(4 * visible.length);
    const shown = pages.flatMap(({ desk }) => (desk as Desk | null)?.name ?? []);
    expect([...new Set(shown)].toSorted()).toEqual(expected);
  });

  it.each(['joined', 'select-in'] as const)('the keys of a link table alone, %s', async (strategy) => {
    const desks = await inMode((em) =>
      em.find(Desk, {}, { ...options, populate: ['pins:ref'] as never, strategy }),
    );
    for (const { pins } of desks) expect(pins.getIdentifiers()).toHaveLength(visible.length);
  });

  it('a query builder with a join, whose filters are asked for', async () => {
    const desks = await inMode(async (em) => {
      const builder = em.createQueryBuilder(Desk, 'd').select('*').leftJoinAndSelect('d.pages', 'p');
      await builder.applyFilters(options.filters);
      return builder.getResultList();
    });
    expect(names(desks)).toEqual(expected);
    // The core asks no filter about a join by hand; the guard does not ask the core.
    const onJoin = KINDS.filter((row) => (mode.reads as readonly boolean[]).includes(row.dead));
    for (const { pages } of desks) expect(names(pages)).toEqual(names(onJoin));
  });

  it('a condition by $some, in which the core asks no other filter', async () => {
    for (const row of KINDS) {
      const count = await inMode((em) => em.count(Desk, { pages: { $some: { name: row.name } } }, options));
      const seen = (mode.reads as readonly boolean[]).includes(row.dead);
      expect([row.name, count]).toEqual([row.name, seen ? visible.length : 0]);
    }
  });

  it('nativeUpdate and nativeDelete', async () => {
    const changed = KINDS.filter(within(mode.changes)).length * 4;
    expect(await inMode((em) => em.nativeUpdate(Page, {}, { name: 'x' }, options))).toBe(changed);
    const [row] = await orm.em
      .fork()
      .execute<{ count: string }[]>(`select count(*) from page where name = 'x'`);
    expect(Number(row?.count)).toBe(changed);
    expect(await inMode((em) => em.nativeDelete(Page, { name: 'y' }, options))).toBe(0);
    await orm.em.fork().execute('delete from desk_pins');
    const deleted = KINDS.filter(within(mode.deletes)).length * 4;
    expect(await inMode((em) => em.nativeDelete(Page, {}, options))).toBe(deleted);
  });
});

describe('the parameters of a filter', () => {
  it('are inherited by every scope, by nested ones and by the transaction inside', async () => {
    const em = orm.em.fork();
    em.setFilterParams('tenant', { tenant: 2 });
    const seen = await em.withDeleted((all) =>
      all.skipSoftDelete((skip) => skip.transactional((tx) => tx.find(Desk, {}))),
    );
    expect(seen.map(({ name }) => name).toSorted()).toEqual(['2+', '2-']);
  });

  it('that a scope sets do not change the entity manager outside', async () => {
    const em = orm.em.fork();
    em.setFilterParams('tenant', { tenant: 2 });
    await em.withDeleted(async (all) => all.setFilterParams('tenant', { tenant: 1 }));
    expect((await em.find(Desk, {})).map(({ name }) => name)).toEqual(['2+']);
  });
});
