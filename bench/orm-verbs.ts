import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import type { Account } from '../src/gateway/index.ts';
import { AccountGroup, ApiKey } from '../src/gateway/index.ts';
import { liveNumber, SIZE } from './data.ts';
import type { Variant, Workload } from './measure.ts';

/** Groups of this bench, and how many accounts serve each; 30 % of the accounts are dead, and some may not be chosen. */
const GROUPS = 100;
const PER_GROUP = 70;

const FILL = [
  `insert into groups (name) select 'verbs ' || n from generate_series(1, ${GROUPS}) n`,
  `insert into accounts (name, platform, type, priority, credentials, extra, deleted_at, status)
   select 'verbs ' || n, 'openai', 'oauth', n % 7,
     jsonb_build_object('access_token', repeat('x', 200), 'refresh_token', repeat('y', 80), 'scopes', jsonb_build_array('a', 'b')),
     jsonb_build_object('quota', n, 'models', jsonb_build_object('gpt', n % 3, 'o', jsonb_build_array(1, 2, n))),
     case when n % 10 in (1, 4, 7) then now() end, case when n % 23 = 0 then 'error' else 'active' end
   from generate_series(1, 5000) n`,
  `insert into account_groups (account_id, group_id, priority)
   select a.first + (g.n * 47 + k * 13) % 5000, o.first + g.n, k % 5
   from generate_series(0, ${GROUPS - 1}) g(n), generate_series(1, ${PER_GROUP}) k,
     (select min(id) as first from accounts where name like 'verbs %') a,
     (select min(id) as first from groups where name like 'verbs %') o`,
  'analyze groups, accounts, account_groups',
] as const;

const REMOVABLE = [
  `delete from api_keys where id > ${SIZE.apiKeys}`,
  `insert into api_keys (user_id, key, name, group_id)
   values (1, 'removable', 'removable', 2) returning id::text`,
] as const;

/** What stock MikroORM is told by hand; the layer adds it. */
interface Told {
  readonly live: () => object;
  readonly joined: () => object;
}

const isLive = () => ({ deletedAt: null });
const BY_HAND: Told = {
  live: isLive,
  // Without the join type, stock MikroORM drops the key of a dead user, because the relation is NOT NULL.
  joined: () => ({
    populateWhere: { user: isLive(), group: isLive() },
    populateHints: { user: { joinType: 'left join' } },
  }),
};
const NOTHING: Told = { live: () => ({}), joined: () => ({}) };

const RELATIONS = ['user', 'group'] as never;
const secret = (index: number): string => `sk-bench-${liveNumber(index, SIZE.apiKeys)}`;

interface Verb {
  readonly name: string;
  readonly share?: number;
  readonly prepare?: (pool: Pool) => Promise<unknown>;
  readonly run: (em: SqlEntityManager, index: number, told: Told, prepared: unknown) => Promise<unknown>;
}

const pending = (now: Date) => ({
  status: 'active',
  schedulable: true,
  $and: [
    { $or: [{ tempUnschedulableUntil: null }, { tempUnschedulableUntil: { $lte: now } }] },
    { $or: [{ overloadUntil: null }, { overloadUntil: { $lte: now } }] },
    { $or: [{ rateLimitResetAt: null }, { rateLimitResetAt: { $lte: now } }] },
    { $or: [{ expiresAt: null }, { expiresAt: { $gt: now } }, { autoPauseOnExpired: false }] },
  ],
});

const verbs = (firstGroup: bigint): readonly Verb[] => [
  {
    name: 'W1',
    run: (em, index, { live, joined }) =>
      em.findOne(ApiKey, { key: secret(index), ...live() }, { populate: RELATIONS, ...joined() }),
  },
  {
    name: 'W2',
    share: 0.5,
    run: (em, index, { live, joined }) =>
      em.findAndCount(ApiKey, live(), {
        populate: RELATIONS,
        orderBy: { id: 'desc' },
        limit: 50,
        offset: (index % 20) * 50,
        ...joined(),
      }),
  },
  {
    name: 'W3',
    share: 0.5,
    run: async (em, index, { live }) => {
      const bound = await em.find(
        AccountGroup,
        {
          group: String(firstGroup + BigInt(index % GROUPS)),
          account: { ...pending(new Date()), ...live() },
        },
        {
          populate: ['account'] as never,
          orderBy: { priority: 'asc', account: { priority: 'asc', id: 'asc' } } as never,
        },
      );
      return (bound as unknown as { account: Account }[]).map(({ account }) => account);
    },
  },
  {
    name: 'W6-flush',
    prepare: removable,
    run: async (em, _index, { live }, id) => {
      em.remove(await em.findOneOrFail(ApiKey, { id: id as string, ...live() }));
      await em.flush();
      return 1;
    },
  },
  {
    name: 'W6-native',
    prepare: removable,
    run: (em, _index, { live }, id) => em.nativeDelete(ApiKey, { id: id as string, ...live() }),
  },
];

async function removable(pool: Pool): Promise<unknown> {
  await pool.query(REMOVABLE[0]);
  return (await pool.query<{ id: string }>(REMOVABLE[1])).rows[0]?.id;
}

interface Orm {
  readonly em: { fork(): unknown };
}

/**
 * MikroORM's own verbs on stock MikroORM, which is told by hand what is live, and on the layer. A removal is an UPDATE in the layer and a DELETE
 * in stock MikroORM. Fills the database first.
 */
export async function ormVerbWorkloads(pool: Pool, stock: Orm, layer: Orm): Promise<Workload[]> {
  for (const statement of FILL) await pool.query(statement);
  const { rows } = await pool.query<{ id: string }>(
    `select min(id)::text as id from groups where name like 'verbs %'`,
  );
  const variant = (verb: Verb, name: string, orm: Orm, told: Told): Variant => ({
    name,
    ...(verb.prepare && { prepare: () => verb.prepare?.(pool) as Promise<unknown> }),
    run: (index, prepared) => verb.run(orm.em.fork() as SqlEntityManager, index, told, prepared),
  });
  return verbs(BigInt(rows[0]?.id ?? '0')).map((verb) => ({
    name: `orm-${verb.name}`,
    ...(verb.share !== undefined && { share: verb.share }),
    variants: [
      variant(verb, 'stock, condition by hand', stock, BY_HAND),
      variant(verb, 'the layer', layer, NOTHING),
    ] as const,
  }));
}
