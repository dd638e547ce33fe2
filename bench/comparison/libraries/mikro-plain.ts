import { MikroORM, raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { type Connections, type Library, newName } from '../library.ts';
import { FIELDS } from '../statements.ts';
import { ALL_BY_HAND } from '../trees/deletions.ts';
import { type Account, AccountGroup, ApiKey, ENTITIES, UsageLog, User } from './mikro-entities.ts';
import { deletionsOf } from './mikro-deletion.ts';
import { AUTH_FIELDS, mayServe, relationsOf } from './mikro-queries.ts';

// New objects for each call: the core writes into a condition that it is given.
const live = () => ({ deletedAt: null });
/** Conditions of populated relations; without the join type a dead user would take its key away with it. */
const liveOwners = () => ({
  populate: ['user', 'group'],
  populateWhere: { user: live(), group: live() },
  populateHints: { user: { joinType: 'left join' } },
});

/** MikroORM without any help: every query says that rows must be live. */
export async function open({ url, size }: Connections): Promise<Library> {
  const orm = await MikroORM.init({
    clientUrl: url,
    entities: ENTITIES,
    pool: { min: 0, max: size },
    forceUtcTimezone: true,
  });
  const fork = (): SqlEntityManager => orm.em.fork();
  return {
    ways: {
      ...deletionsOf(fork),
      W1: (key) =>
        fork().findOne(ApiKey, { key, ...live() }, { ...liveOwners(), fields: AUTH_FIELDS } as never),
      W2: async ({ groupId, offset, limit }) => {
        const options = { ...liveOwners(), orderBy: { id: 'desc' }, limit, offset };
        const where = { group: groupId, ...live() };
        const [items, total] = await fork().findAndCount(ApiKey, where, options as never);
        return { items, total };
      },
      W3: async (group) => {
        const where = { group: { id: group, ...live() }, account: { ...mayServe(), ...live() } };
        const bindings = await fork().find(AccountGroup, where, {
          populate: ['account'],
          orderBy: { priority: 'asc', account: { priority: 'asc', id: 'asc' } },
        });
        return bindings.map((binding) => binding.account as unknown as InstanceType<typeof Account.class>);
      },
      W4: (usage) => fork().insert(UsageLog, relationsOf(usage)),
      W5: (usages) => fork().insertMany(UsageLog, usages.map(relationsOf)),
      W6: (id) => fork().nativeUpdate(ApiKey, { id, ...live() }, { deletedAt: new Date() }),
      W7: async ({ ids, round }) => {
        const em = fork();
        const keys = await em.find(ApiKey, { id: { $in: [...ids] }, ...live() });
        for (const key of keys) key.name = newName(key.id, round);
        await em.flush();
      },
      W8: ({ userId, amount }) =>
        fork().nativeUpdate(
          User,
          { id: userId, ...live() },
          { balance: raw('balance - ?::numeric', [amount]) },
        ),
    },
    faster: { W1: { qb: (key) => byKey(fork(), key) } },
    byHand: ALL_BY_HAND,
    close: () => orm.close(),
  };
}

const inside = (alias: string, fields: readonly string[]): string[] =>
  fields.map((field) => `${alias}.${field.replace(/Id$/, '')}`);

async function byKey(em: SqlEntityManager, key: string): Promise<object | null> {
  return em
    .createQueryBuilder(ApiKey, 'k')
    .select(inside('k', FIELDS.AUTH_KEY) as never)
    .leftJoinAndSelect('k.user', 'u', live(), inside('u', FIELDS.AUTH_USER) as never)
    .leftJoinAndSelect('k.group', 'g', live(), inside('g', FIELDS.AUTH_GROUP) as never)
    .where({ 'k.key': key, 'k.deletedAt': null } as never)
    .getSingleResult();
}
