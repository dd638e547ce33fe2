import { MikroORM } from '@mikro-orm/postgresql';
import { gatewayRepositories, recordUsages } from 'tombstone/gateway';
import { defineDataConfig } from 'tombstone';
import { type Connections, type Library, newName } from '../library.ts';
import { deletionsOf } from './tombstone-deletion.ts';
import { MODULES } from './tombstone-orm.ts';

/** Tombstone by its repositories. */
export async function open({ url, size }: Connections): Promise<Library> {
  const orm = await MikroORM.init(
    defineDataConfig({ clientUrl: url, modules: MODULES, pool: { min: 0, max: size } }),
  );
  const em = orm.em.fork();
  const repositories = () => gatewayRepositories(em);
  return {
    ways: {
      ...deletionsOf(em),
      W1: (key) => repositories().apiKeys.findByKeyForAuth(key),
      W2: ({ groupId, offset, limit }) =>
        repositories().apiKeys.listByGroupId(groupId, { page: 1 + offset / limit, pageSize: limit }),
      // As the floor and all others, which read no groups of the accounts.
      W3: (group) => repositories().accounts.listSchedulableByGroupId(group, { groups: false }),
      W4: async (usage) => (await repositories().usageLogs.create(usage)).id,
      // No repository stores logs alone by the hundred; these are free, so that nothing is charged either.
      W5: (usages) => recordUsages(em, usages),
      W6: (id) => repositories().apiKeys.delete(id),
      W7: async ({ ids, round }) => {
        const keys = await repositories().apiKeys.getByIds(ids);
        await repositories().apiKeys.updateMany(keys.map(({ id }) => ({ id, name: newName(id, round) })));
      },
      W8: ({ userId, amount }) => repositories().users.deductBalance(userId, amount),
    },
    faster: { W3: { 'with groups': (group) => repositories().accounts.listSchedulableByGroupId(group) } },
    close: () => orm.close(),
  };
}
