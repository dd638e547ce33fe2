import { MikroORM } from '@mikro-orm/core';
import { PostgreSqlDriver, type SqlEntityManager } from '@mikro-orm/postgresql';
import { ApiKey, Group, User, UserAllowedGroup } from '../src/gateway/index.ts';
import { liveNumber, SIZE } from './data.ts';
import type { Variant, Workload } from './measure.ts';

interface Orm {
  readonly em: { fork(): unknown };
}

/** The same entities on MikroORM as it comes: what the layer costs is measured against it. */
export async function stockOrm(clientUrl: string): Promise<MikroORM> {
  const entities = [User, UserAllowedGroup, Group, ApiKey];
  const contextName = 'stock';
  return (await MikroORM.init({
    driver: PostgreSqlDriver,
    clientUrl,
    entities,
    contextName,
  } as never)) as never;
}

const LIVE = { deletedAt: null };
const page = (index: number): string[] =>
  Array.from({ length: 200 }, (_, n) => String(liveNumber(index * 200 + n, SIZE.users)));

type Work = (em: SqlEntityManager, index: number, live: object) => Promise<unknown>;

/** Stock MikroORM writes the condition by hand; the layer is given none, and adds it. */
function pair(stock: Orm, layer: Orm, work: Work, prepare?: Work): [Variant, Variant] {
  const variant = (name: string, orm: Orm, live: object): Variant => {
    const em = (): SqlEntityManager => orm.em.fork() as SqlEntityManager;
    return {
      name,
      run: (index) => work(em(), index, live),
      ...(prepare && { prepare: (index: number) => prepare(em(), index, live) }),
    };
  };
  return [variant('stock, condition by hand', stock, LIVE), variant('the layer', layer, {})];
}

async function changeAll(em: SqlEntityManager, index: number, live: object): Promise<number> {
  const users = await em.find(User, { id: { $in: page(index) }, ...live });
  for (const user of users) user.notes = `${user.notes.length % 7}${index}`;
  await em.flush();
  return users.length;
}

const leftovers = 'bench-removal@';

async function makeTwoHundred(em: SqlEntityManager): Promise<void> {
  await em.execute(`delete from users where email like '${leftovers}%'`);
  await em.execute(
    `insert into users (email, password_hash) select '${leftovers}' || n, 'h' from generate_series(1, 200) n`,
  );
}

async function removeAll(em: SqlEntityManager, _index: number, live: object): Promise<number> {
  const users = await em.find(User, { email: { $like: `${leftovers}%` }, ...live });
  for (const user of users) em.remove(user);
  await em.flush();
  return users.length;
}

/** What the layer costs beside the same ORM without it. A removal is an UPDATE here and a DELETE there. */
export function overheadWorkloads(stock: Orm, layer: Orm): Workload[] {
  const key = (index: number): string => String(liveNumber(index, SIZE.users));
  return [
    {
      name: 'overhead-find-one',
      variants: pair(stock, layer, (em, index, live) => em.findOne(User, { id: key(index), ...live })),
    },
    {
      name: 'overhead-find-200',
      variants: pair(stock, layer, (em, index, live) =>
        em.find(User, { id: { $in: page(index) }, ...live }, { orderBy: { id: 'asc' } as never }),
      ),
      share: 0.5,
    },
    {
      name: 'overhead-populate-50',
      variants: pair(stock, layer, (em, _index, live) =>
        em.find(ApiKey, live, {
          populate: ['user', 'group'] as never,
          orderBy: { id: 'desc' } as never,
          limit: 50,
        }),
      ),
      share: 0.5,
    },
    { name: 'overhead-flush-200', variants: pair(stock, layer, changeAll), share: 0.25 },
    { name: 'overhead-remove-200', variants: pair(stock, layer, removeAll, makeTwoHundred), share: 0.25 },
  ];
}
