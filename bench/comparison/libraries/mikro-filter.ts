import { ChangeSetType, type EventSubscriber, type FlushEventArgs } from '@mikro-orm/core';
import { MikroORM, raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { type Connections, type Library, newName } from '../library.ts';
import { ALL_BY_HAND } from '../trees/deletions.ts';
import {
  Account,
  AccountGroup,
  ApiKey,
  ENTITIES,
  Group,
  Project,
  Task,
  UsageLog,
  User,
} from './mikro-entities.ts';
import { deletionsOf } from './mikro-deletion.ts';
import { AUTH_FIELDS, mayServe, relationsOf } from './mikro-queries.ts';

const SOFT_DELETABLE = [User, Group, ApiKey, Account, Project, Task].map((entity) => entity.meta.className);

/** The documented recipe: what a flush would delete is updated. */
class SoftDeleteSubscriber implements EventSubscriber {
  onFlush({ uow }: FlushEventArgs): void {
    for (const changeSet of uow.getChangeSets()) {
      if (changeSet.type !== ChangeSetType.DELETE || !SOFT_DELETABLE.includes(changeSet.meta.className))
        continue;
      const deletedAt = new Date();
      changeSet.type = ChangeSetType.UPDATE;
      (changeSet.entity as { deletedAt: Date }).deletedAt = deletedAt;
      (changeSet.payload as { deletedAt: Date }).deletedAt = deletedAt;
    }
  }
}

/** MikroORM with the documented recipe: a filter for all entities, and a subscriber that turns removals into updates. */
export async function open({ url, size }: Connections): Promise<Library> {
  const orm = await MikroORM.init({
    clientUrl: url,
    entities: ENTITIES,
    pool: { min: 0, max: size },
    forceUtcTimezone: true,
    filters: {
      softDelete: { entity: SOFT_DELETABLE, cond: { deletedAt: null }, default: true, args: false },
    },
    // Otherwise the filter joins the owner in every query, and hides the live keys of a dead one.
    autoJoinRefsForFilters: false,
    subscribers: [new SoftDeleteSubscriber()],
  });
  const fork = (): SqlEntityManager => orm.em.fork();
  // The filter alone would drop the key of a dead user, because the relation is NOT NULL.
  const owners = () => ({ populate: ['user', 'group'], populateHints: { user: { joinType: 'left join' } } });
  return {
    ways: {
      ...deletionsOf(fork),
      // The subscriber marks what the core would delete: tasks that were loaded with their project.
      'cascade-small': async (ownerId) => {
        const em = fork();
        for (const project of await em.find(Project, { ownerId }, { populate: ['tasks'] }))
          em.remove(project);
        await em.flush();
      },
      W1: (key) => fork().findOne(ApiKey, { key }, { ...owners(), fields: AUTH_FIELDS } as never),
      W2: async ({ groupId, offset, limit }) => {
        const options = { ...owners(), orderBy: { id: 'desc' }, limit, offset };
        const [items, total] = await fork().findAndCount(ApiKey, { group: groupId }, options as never);
        return { items, total };
      },
      W3: async (group) => {
        const where = { group: { id: group }, account: mayServe() };
        const bindings = await fork().find(AccountGroup, where, {
          populate: ['account', 'group'],
          orderBy: { priority: 'asc', account: { priority: 'asc', id: 'asc' } },
        });
        return bindings.map((binding) => binding.account as unknown as InstanceType<typeof Account.class>);
      },
      W4: (usage) => fork().insert(UsageLog, relationsOf(usage)),
      W5: (usages) => fork().insertMany(UsageLog, usages.map(relationsOf)),
      W6: async (id) => {
        const em = fork();
        em.remove(em.getReference(ApiKey, id));
        await em.flush();
      },
      W7: async ({ ids, round }) => {
        const em = fork();
        const keys = await em.find(ApiKey, { id: { $in: [...ids] } });
        for (const key of keys) key.name = newName(key.id, round);
        await em.flush();
      },
      W8: ({ userId, amount }) =>
        fork().nativeUpdate(User, { id: userId }, { balance: raw('balance - ?::numeric', [amount]) }),
    },
    byHand: ALL_BY_HAND.filter((name) => name !== 'cascade-small'),
    close: () => orm.close(),
  };
}
