import { createSoftDeleteExtension } from '@candoimage/prisma-extension-soft-delete';
import { PrismaPg } from '@prisma/adapter-pg';
import {
  type Connections,
  type KeyRow,
  type Library,
  newName,
  type PageRequest,
  type Renaming,
  type Usage,
} from '../comparison/library.ts';
import { FIELDS } from '../comparison/statements.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { deletionsOf } from './deletion/prisma.ts';
import { PrismaClient } from './generated/client.ts';

const softDelete = createSoftDeleteExtension({
  models: { User: true, Group: true, ApiKey: true, Account: true, Project: true, Task: true },
  defaultConfig: { field: 'deletedAt', createValue: (isDeleted) => (isDeleted ? new Date() : null) },
});

function clientsOf({ url, size }: Connections): { bare: PrismaClient; client: PrismaClient } {
  const bare = new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: size }) });
  return { bare, client: bare.$extends(softDelete) as unknown as PrismaClient };
}

const OWNERS = { user: true, group: true };
const chosen = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, true]));
const AUTH = {
  ...chosen(FIELDS.AUTH_KEY),
  user: { select: chosen(FIELDS.AUTH_USER) },
  group: { select: chosen(FIELDS.AUTH_GROUP) },
};
type Strategy = 'join' | 'query';

/** Prisma with a driver adapter and a soft-delete extension; relations by one statement with joins. */
export async function open(connections: Connections): Promise<Library> {
  const { bare, client } = clientsOf(connections);
  return {
    ways: {
      ...deletionsOf(client, bare),
      W1: (key) => byKey(client, key, 'join'),
      W2: (request) => pageOfKeys(client, request, 'join'),
      W3: (group) => accountsOfGroup(client, group),
      W4: async (usage) => (await client.usageLog.create({ data: asRow(usage) })).id,
      W5: (usages) => client.usageLog.createMany({ data: usages.map(asRow) }),
      W6: (id) => client.apiKey.delete({ where: { id: BigInt(id) } }),
      W7: (renaming) => rename(client, renaming),
      W8: ({ userId, amount }) =>
        client.user.updateMany({ where: { id: BigInt(userId) }, data: { balance: { decrement: amount } } }),
    },
    faster: {
      W2: { query: (request) => pageOfKeys(client, request, 'query') },
      W7: { unnest: (renaming) => renameAtOnce(client, renaming) },
    },
    byHand: ALL_BY_HAND,
    close: () => client.$disconnect(),
  };
}

const byKey = (client: PrismaClient, key: string, relationLoadStrategy: Strategy): Promise<KeyRow | null> =>
  client.apiKey.findFirst({ where: { key }, select: AUTH, relationLoadStrategy }) as never;

async function pageOfKeys(
  client: PrismaClient,
  { groupId, offset, limit }: PageRequest,
  relationLoadStrategy: Strategy,
) {
  const where = { groupId: BigInt(groupId) };
  const [items, total] = await Promise.all([
    client.apiKey.findMany({
      where,
      include: OWNERS,
      orderBy: { id: 'desc' },
      skip: offset,
      take: limit,
      relationLoadStrategy,
    }),
    client.apiKey.count({ where }),
  ]);
  return { items, total };
}

const past = (field: string, now: Date) => ({ OR: [{ [field]: null }, { [field]: { lte: now } }] });

async function accountsOfGroup(client: PrismaClient, group: string): Promise<object[]> {
  const now = new Date();
  // The extension filters lists only: conditions through relations to one are written out.
  const bindings = await client.accountGroup.findMany({
    where: {
      groupId: BigInt(group),
      group: { deletedAt: null },
      account: {
        deletedAt: null,
        status: 'active',
        schedulable: true,
        AND: [
          past('tempUnschedulableUntil', now),
          past('overloadUntil', now),
          past('rateLimitResetAt', now),
          { OR: [{ expiresAt: null }, { expiresAt: { gt: now } }, { autoPauseOnExpired: false }] },
        ],
      },
    },
    include: { account: true },
    orderBy: [{ priority: 'asc' }, { account: { priority: 'asc' } }, { account: { id: 'asc' } }],
    relationLoadStrategy: 'join',
  });
  return bindings.map((binding) => binding.account);
}

function asRow({ userId, apiKeyId, accountId, groupId, ...columns }: Usage) {
  return {
    ...columns,
    userId: BigInt(userId),
    apiKeyId: BigInt(apiKeyId),
    accountId: BigInt(accountId),
    groupId: BigInt(groupId),
  };
}

const load = (client: PrismaClient, ids: readonly string[]) =>
  client.apiKey.findMany({ where: { id: { in: ids.map(BigInt) } } });

async function rename(client: PrismaClient, { ids, round }: Renaming): Promise<unknown> {
  const keys = await load(client, ids);
  return client.$transaction(
    keys.map(({ id }) => client.apiKey.update({ where: { id }, data: { name: newName(id, round) } })),
  );
}

async function renameAtOnce(client: PrismaClient, { ids, round }: Renaming): Promise<unknown> {
  const keys = await load(client, ids);
  const names = keys.map(({ id }) => newName(id, round));
  const found = keys.map(({ id }) => id);
  return client.$executeRaw`update api_keys k set name = c.name, updated_at = now()
    from unnest(${found}::bigint[], ${names}::text[]) as c (id, name) where k.id = c.id and k.deleted_at is null`;
}
