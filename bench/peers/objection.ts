import knexOf, { type Knex } from 'knex';
import { raw } from 'objection';
import {
  type Connections,
  type Library,
  newName,
  type PageRequest,
  type Renaming,
} from '../comparison/library.ts';
import { column, FIELDS } from '../comparison/statements.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { deletionsOf } from './deletion/objection.ts';
import { AccountGroup, ApiKey, UsageLog, User } from './objection-models.ts';

const columns = (fields: readonly string[], table: string): string[] =>
  fields.map((field) => `${table}.${column(field)}`);
const MODIFIERS = {
  authUser: (query: Selecting) => query.select(columns(FIELDS.AUTH_USER, 'users')),
  authGroup: (query: Selecting) => query.select(columns(FIELDS.AUTH_GROUP, 'groups')),
};
interface Selecting {
  select(columns: string[]): unknown;
}

/** Objection with a soft-delete plugin, whose filter `notDeleted` every query has to name. */
export async function open({ url, size }: Connections): Promise<Library> {
  const knex = knexOf({ client: 'pg', connection: url, pool: { min: 0, max: size } });
  return {
    ways: {
      ...deletionsOf(knex),
      W1: (key) =>
        live(knex)
          .findOne('api_keys.key', key)
          .select(columns(FIELDS.AUTH_KEY, 'api_keys'))
          .withGraphFetched('[user(notDeleted, authUser), group(notDeleted, authGroup)]')
          .modifiers(MODIFIERS as never),
      W2: (request) => pageOfKeys(knex, request),
      W3: (group) => accountsOfGroup(knex, group),
      W4: async (usage) => (await UsageLog.query(knex).insert({ ...usage } as never)).$id(),
      W5: (usages) => UsageLog.query(knex).insert(usages.map((usage) => ({ ...usage })) as never),
      W6: (id) => live(knex).deleteById(id),
      W7: (renaming) => rename(knex, renaming),
      W8: ({ userId, amount }) =>
        User.query(knex)
          .modify('notDeleted')
          .findById(userId)
          .patch({ balance: raw('balance - ?', [amount]), updated_at: raw('now()') } as never),
    },
    faster: {
      W1: {
        joined: (key) =>
          live(knex)
            .findOne('api_keys.key', key)
            .select(columns(FIELDS.AUTH_KEY, 'api_keys'))
            .withGraphJoined('[user(notDeleted, authUser), group(notDeleted, authGroup)]')
            .modifiers(MODIFIERS as never),
      },
    },
    byHand: ALL_BY_HAND,
    close: () => knex.destroy(),
  };
}

const live = (knex: Knex) => ApiKey.query(knex).modify('notDeleted');

async function pageOfKeys(knex: Knex, { groupId, offset, limit }: PageRequest) {
  const { results, total } = await live(knex)
    .where('group_id', groupId)
    .withGraphFetched('[user(notDeleted), group(notDeleted)]')
    .orderBy('id', 'desc')
    .page(offset / limit, limit);
  return { items: results, total };
}

async function accountsOfGroup(knex: Knex, group: string): Promise<object[]> {
  const past = (name: string) => raw(`(account.${name} is null or account.${name} <= now())`);
  const bindings = await AccountGroup.query(knex)
    .where('account_groups.group_id', group)
    .joinRelated('group(notDeleted)')
    .withGraphJoined('account(notDeleted)', { joinOperation: 'innerJoin' })
    .where({ 'account.status': 'active', 'account.schedulable': true })
    .where(past('temp_unschedulable_until'))
    .where(past('overload_until'))
    .where(past('rate_limit_reset_at'))
    .where(
      raw('(account.expires_at is null or account.expires_at > now() or not account.auto_pause_on_expired)'),
    )
    .orderBy(['account_groups.priority', 'account.priority', 'account.id']);
  return bindings.map((binding) => binding.account);
}

async function rename(knex: Knex, { ids, round }: Renaming): Promise<void> {
  await knex.transaction(async (transaction) => {
    const keys = await live(transaction).findByIds([...ids]);
    for (const key of keys)
      await key.$query(transaction).patch({ name: newName(key.id, round), updatedAt: raw('now()') } as never);
  });
}
