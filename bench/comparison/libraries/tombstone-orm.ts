import { raw } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { AccountGroup, ApiKey, gateway, UsageLog, User } from 'tombstone/gateway';
import { type DataEntityManager, defineDataConfig, deletionJournal } from 'tombstone';
import { type Connections, type Library, newName, type Renaming, type Usage } from '../library.ts';
import { Project, trees } from '../trees/tree-module.ts';
import { AUTH_FIELDS, mayServe, relationsOf } from './mikro-queries.ts';

export const MODULES = [gateway, trees, deletionJournal];

/** Tombstone by the verbs of MikroORM, which need no word about deletion. */
export async function open({ url, size }: Connections): Promise<Library> {
  const orm = await MikroORM.init(
    defineDataConfig({ clientUrl: url, modules: MODULES, pool: { min: 0, max: size } }),
  );
  const root = orm.em.fork();
  const fork = (): DataEntityManager => root.fork();
  return {
    ways: {
      W1: (key) =>
        fork().findOne(ApiKey, { key }, { populate: ['user', 'group'], fields: AUTH_FIELDS as never }),
      W2: async ({ groupId, offset, limit }) => {
        const options = { populate: ['user', 'group'], orderBy: { id: 'desc' }, limit, offset } as const;
        const [items, total] = await fork().findAndCount(ApiKey, { group: groupId }, options);
        return { items, total };
      },
      W3: async (group) => {
        const bindings = await fork().find(
          AccountGroup,
          { group: { id: group }, account: mayServe() },
          {
            populate: ['account'],
            orderBy: { priority: 'asc', account: { priority: 'asc', id: 'asc' } },
          },
        );
        return bindings.map((binding) => binding.account);
      },
      W4: (usage) => fork().insert(UsageLog, relationsOf(usage)),
      W5: (usages) => insertAll(fork(), usages),
      W6: (id) => fork().nativeDelete(ApiKey, { id }),
      cascade: (ownerId) => fork().nativeDelete(Project, { ownerId }),
      'cascade-small': async (ownerId) => {
        const em = fork();
        em.remove(await em.findOneOrFail(Project, { ownerId }));
        await em.flush();
      },
      W7: (renaming) => renameKeys(fork(), renaming),
      W8: ({ userId, amount }) =>
        fork().nativeUpdate(User, { id: userId }, { balance: raw('balance - ?::numeric', [amount]) }),
    },
    close: () => orm.close(),
  };
}

const insertAll = (em: DataEntityManager, usages: readonly Usage[]): Promise<unknown> =>
  em.insertMany(UsageLog, usages.map(relationsOf));

/** Loads, changes and flushes. */
async function renameKeys(root: DataEntityManager, { ids, round }: Renaming): Promise<void> {
  const em = root.fork();
  const keys = await em.find(ApiKey, { id: { $in: [...ids] } });
  for (const key of keys) key.name = newName(key.id, round);
  await em.flush();
}
