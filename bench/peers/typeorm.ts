import { DataSource, In, type Repository } from 'typeorm';
import {
  type Connections,
  type Library,
  newName,
  type PageRequest,
  type Renaming,
} from '../comparison/library.ts';
import { FIELDS } from '../comparison/statements.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { cascade, deletionsOf } from './deletion/typeorm.ts';
import {
  type AccountGroup,
  AccountGroups,
  Accounts,
  type ApiKey,
  ApiKeys,
  Groups,
  Projects,
  Tasks,
  UsageLogs,
  Users,
} from './typeorm-entities.ts';

const OWNERS = { user: true, group: true };
const chosen = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, true]));

/** TypeORM with a delete date (`@DeleteDateColumn`), which its repositories and its query builder leave out by themselves. */
export async function open({ url, size }: Connections): Promise<Library> {
  const source = await new DataSource({
    type: 'postgres',
    url,
    poolSize: size,
    entities: [Users, Groups, ApiKeys, Accounts, AccountGroups, UsageLogs, Projects, Tasks],
  }).initialize();
  const keys = source.getRepository(ApiKeys);
  const usageLogs = source.getRepository(UsageLogs);
  const users = source.getRepository(Users);
  const bindings = source.getRepository(AccountGroups);
  return {
    ways: {
      ...deletionsOf(source),
      W1: (key) =>
        keys.findOne({
          where: { key },
          relations: OWNERS,
          select: {
            ...chosen(FIELDS.AUTH_KEY),
            user: chosen(FIELDS.AUTH_USER),
            group: chosen(FIELDS.AUTH_GROUP),
          },
        }),
      W2: async ({ groupId, offset, limit }) => {
        const options = {
          where: { groupId },
          relations: OWNERS,
          order: { id: 'DESC' },
          skip: offset,
          take: limit,
        };
        const [items, total] = await keys.findAndCount(options as never);
        return { items, total };
      },
      W3: (group) => accountsOfGroup(bindings, group),
      W4: async (usage) => (await usageLogs.insert({ ...usage } as never)).identifiers[0]?.['id'],
      W5: (usages) => usageLogs.insert(usages.map((usage) => ({ ...usage })) as never),
      W6: (id) => keys.softDelete(id),
      W7: (renaming) => rename(keys, renaming),
      W8: ({ userId, amount }) =>
        users
          .createQueryBuilder()
          .update()
          .set({ balance: () => 'balance - :amount' })
          .where('id = :userId and deleted_at is null', { userId, amount })
          .execute(),
    },
    faster: {
      W1: { qb: (key) => owners(keys).where('key.key = :key', { key }).getOne() },
      'cascade-small': { qb: (owner) => cascade(source, owner) },
      W2: { qb: (request) => pageOfKeys(keys, request) },
    },
    byHand: ALL_BY_HAND.filter((name) => name !== 'cascade-small'),
    close: () => source.destroy(),
  };
}

const owners = (keys: Repository<ApiKey>) =>
  keys
    .createQueryBuilder('key')
    .leftJoin('key.user', 'owner')
    .leftJoin('key.group', 'grp')
    .select([
      ...FIELDS.AUTH_KEY.map((field) => `key.${field}`),
      ...FIELDS.AUTH_USER.map((field) => `owner.${field}`),
      ...FIELDS.AUTH_GROUP.map((field) => `grp.${field}`),
    ]);

/** `limit` instead of `take`: a relation to one adds no rows, so no second statement has to look for the ids. */
async function pageOfKeys(keys: Repository<ApiKey>, { groupId, offset, limit }: PageRequest) {
  const page = keys
    .createQueryBuilder('key')
    .leftJoinAndSelect('key.user', 'owner')
    .leftJoinAndSelect('key.group', 'grp')
    .where('key.groupId = :groupId', { groupId })
    .orderBy('key.id', 'DESC')
    .limit(limit)
    .offset(offset);
  const [items, total] = await Promise.all([page.getMany(), keys.countBy({ groupId })]);
  return { items, total };
}

const past = (field: string): string => `(account.${field} is null or account.${field} <= now())`;

async function accountsOfGroup(bindings: Repository<AccountGroup>, group: string): Promise<object[]> {
  const found = await bindings
    .createQueryBuilder('binding')
    .innerJoin('binding.group', 'grp')
    .innerJoinAndSelect('binding.account', 'account')
    .where('binding.groupId = :group', { group })
    .andWhere(`account.status = 'active' and account.schedulable`)
    .andWhere(past('tempUnschedulableUntil'))
    .andWhere(past('overloadUntil'))
    .andWhere(past('rateLimitResetAt'))
    .andWhere('(account.expiresAt is null or account.expiresAt > now() or not account.autoPauseOnExpired)')
    .orderBy({ 'binding.priority': 'ASC', 'account.priority': 'ASC', 'account.id': 'ASC' })
    .getMany();
  return found.map((binding) => binding.account);
}

async function rename(keys: Repository<ApiKey>, { ids, round }: Renaming): Promise<unknown> {
  const found = await keys.findBy({ id: In([...ids]) });
  for (const key of found) key.name = newName(key.id, round);
  return keys.save(found);
}
