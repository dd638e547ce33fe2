import { MikroORM } from '@mikro-orm/core';
import { PostgreSqlDriver, type SqlEntityManager } from '@mikro-orm/postgresql';
import { Account, AccountGroup, ApiKey, Group, Proxy, User, UserAllowedGroup } from '../src/gateway/index.ts';
import { liveNumber, SIZE } from './data.ts';
import type { Variant, Workload } from './measure.ts';

interface Orm {
  readonly em: { fork(): unknown };
}

/** The same entities on MikroORM as it comes: what the layer costs is measured against it. */
export async function stockOrm(clientUrl: string): Promise<MikroORM> {
  return (await MikroORM.init({
    driver: PostgreSqlDriver,
    clientUrl,
    entities: [User, UserAllowedGroup, Group, ApiKey, Proxy, Account, AccountGroup],
    contextName: 'stock',
    forceUtcTimezone: true,
  } as never)) as never;
}

/** What stock MikroORM is told by hand; the layer is not told, and adds it. */
interface Conditions {
  readonly live: object;
  /** The same for the populated relations of a key: as options of `find`, and of `populate`. */
  readonly joined: object;
  readonly later: object;
}

interface Call extends Conditions {
  readonly em: SqlEntityManager;
  readonly index: number;
}

interface Task<Given> {
  readonly name: string;
  readonly share?: number;
  /** Not timed. */
  readonly load?: (call: Call) => Promise<Given>;
  readonly run: (call: Call, given: Given) => Promise<unknown>;
}

const isLive = () => ({ deletedAt: null });
// New objects for each call: the core writes into a condition that it is given.
const byHand = (): Conditions => ({
  live: isLive(),
  // Without the join type, stock MikroORM drops the key of a dead user, because the relation is NOT NULL.
  joined: {
    populateWhere: { user: isLive(), group: isLive() },
    populateHints: { user: { joinType: 'left join' } },
  },
  later: { where: { user: isLive(), group: isLive() } },
});
const nothing = (): Conditions => ({ live: {}, joined: {}, later: {} });

const key = (index: number): string => String(liveNumber(index, SIZE.users));
const keys = (index: number, count: number): string[] =>
  Array.from({ length: count }, (_, n) => key(index * count + n));

const LAST_FIFTY = { orderBy: { id: 'desc' }, limit: 50 } as const;
const RELATIONS = ['user', 'group'] as never;

async function populateJoined({ em, live: own, joined }: Call): Promise<unknown> {
  const options = { ...LAST_FIFTY, populate: RELATIONS, strategy: 'joined', ...joined } as const;
  return shown(await em.find(ApiKey, own, options));
}

/** In two steps: given its condition in `find`, stock MikroORM would join the relations as well. */
async function populateSelectIn({ em, live: own, later }: Call): Promise<unknown> {
  const found = await em.find(ApiKey, own, LAST_FIFTY);
  await em.populate(found, RELATIONS, { strategy: 'select-in', ...later });
  return shown(found);
}

/** What the relations show, so that the comparison of the answers sees a dead user or group. */
function shown(found: readonly ApiKey[]): unknown {
  return found.map(({ id, user, group }) => [id, user?.email, group?.name]);
}

const READS: readonly Task<undefined>[] = [
  {
    name: 'find-one-by-key',
    run: ({ em, index, live }) => em.findOne(User, { id: key(index), ...live }),
  },
  {
    name: 'find-one-by-email',
    run: ({ em, index, live }) => em.findOne(User, { email: `user${key(index)}@example.com`, ...live }),
  },
  {
    name: 'find-200',
    share: 0.25,
    run: ({ em, index, live }) =>
      em.find(User, { id: { $in: keys(index, 200) }, ...live }, { orderBy: { id: 'asc' } as never }),
  },
  { name: 'populate-joined-50', share: 0.25, run: populateJoined },
  { name: 'populate-select-in-50', share: 0.25, run: populateSelectIn },
  {
    name: 'count',
    run: ({ em, index, live }) => em.count(ApiKey, { user: key(index), ...live }),
  },
];

const loadUsers =
  (count: number) =>
  ({ em, index, live }: Call): Promise<User[]> =>
    em.find(User, { id: { $in: keys(index, count) }, ...live });

/** Never what the variant before has written for the same index: its flush would have nothing to do. */
let written = 0;

const changeUsers = async ({ em }: Call, users: User[]): Promise<number> => {
  for (const user of users) user.notes = `note ${(written += 1)}`;
  await em.flush();
  return users.length;
};

const CHANGES: readonly Task<User[]>[] = [
  { name: 'flush-update-1', load: loadUsers(1), run: changeUsers },
  { name: 'flush-update-200', share: 0.25, load: loadUsers(200), run: changeUsers },
];

/** Rows of earlier calls, marked or not, are physically gone before the next one. */
const REMOVABLE = {
  users: [
    `delete from users where id > ${SIZE.users}`,
    `insert into users (email, password_hash) select 'removable' || n, 'h' from generate_series(1, 1000) n`,
  ],
  apiKeys: [
    `delete from api_keys where id > ${SIZE.apiKeys}`,
    `insert into api_keys (user_id, key, name, group_id)
     select 1 + n, 'removable' || n, 'removable', 1 + n % ${SIZE.groups} from generate_series(1, 1000) n`,
  ],
} as const;

async function plant({ em }: Call, table: keyof typeof REMOVABLE): Promise<void> {
  for (const statement of REMOVABLE[table]) await em.execute(statement);
}

async function removeAll({ em }: Call, rows: readonly object[]): Promise<number> {
  for (const row of rows) em.remove(row);
  await em.flush();
  return rows.length;
}

const WRITES: readonly Task<readonly object[]>[] = [
  {
    name: 'insert-200',
    share: 0.25,
    load: async (call) => {
      await plant(call, 'users');
      return [];
    },
    run: async ({ em }) => {
      for (let n = 0; n < 200; n += 1) {
        em.create(User, { email: `inserted${n}`, passwordHash: 'h' } as never, { persist: true });
      }
      await em.flush();
      return 200;
    },
  },
  {
    name: 'remove-1000-users',
    share: 0.1,
    load: async (call) => {
      await plant(call, 'users');
      return call.em.find(User, { email: { $like: 'removable%' }, ...call.live });
    },
    run: removeAll,
  },
  {
    name: 'remove-1000-api-keys',
    share: 0.1,
    load: async (call) => {
      await plant(call, 'apiKeys');
      return call.em.find(ApiKey, { name: 'removable', ...call.live });
    },
    run: removeAll,
  },
  {
    name: 'native-delete-1000',
    share: 0.1,
    load: async (call) => {
      await plant(call, 'apiKeys');
      return [];
    },
    run: ({ em, live }) => em.nativeDelete(ApiKey, { name: 'removable', ...live }),
  },
];

function compare<Given>({ name, share, load, run }: Task<Given>, stock: Orm, layer: Orm): Workload {
  const variant = (system: string, orm: Orm, conditions: () => Conditions): Variant => {
    const call = (index: number): Call => ({ em: orm.em.fork() as SqlEntityManager, index, ...conditions() });
    if (!load) return { name: system, run: (index) => run(call(index), undefined as never) };
    return {
      name: system,
      prepare: async (index) => {
        const prepared = call(index);
        return [prepared, await load(prepared)];
      },
      run: (_index, prepared) => run(...(prepared as [Call, Given])),
    };
  };
  const variants = [
    variant('stock, condition by hand', stock, byHand),
    variant('the layer', layer, nothing),
  ] as const;
  return { name: `overhead-${name}`, variants, ...(share !== undefined && { share }) };
}

/** What the layer costs beside the same ORM without it. A removal is an UPDATE here and a DELETE there. */
export function overheadWorkloads(stock: Orm, layer: Orm): Workload[] {
  return [
    ...READS.map((task) => compare(task, stock, layer)),
    ...CHANGES.map((task) => compare(task, stock, layer)),
    ...WRITES.map((task) => compare(task, stock, layer)),
  ];
}
