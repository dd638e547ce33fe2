import {
  and,
  asc,
  count,
  desc,
  eq,
  getTableColumns,
  inArray,
  isNull,
  lte,
  gt,
  or,
  sql,
  type AnyColumn,
} from 'drizzle-orm';
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { Pool } from 'pg';
import { type Connections, type Library, newName, type Renaming, type Usage } from '../comparison/library.ts';
import { FIELDS } from '../comparison/statements.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { deletionsOf } from './deletion/drizzle.ts';
import * as schema from './drizzle-schema.ts';

const { accountGroups, accounts, apiKeys, groups, usageLogs, users } = schema;
type Db = NodePgDatabase<typeof schema>;

function some<Table extends Record<string, unknown>>(columns: Table, fields: readonly string[]): Table {
  return Object.fromEntries(fields.map((field) => [field, columns[field]])) as Table;
}
const keyOf = getTableColumns(apiKeys);
const userOf = getTableColumns(users);
const groupOf = getTableColumns(groups);
const KEY = some(keyOf, FIELDS.KEY);
const value = sql.placeholder;

/** Drizzle with the condition on dead rows written out, and every statement prepared, as its page on performance asks. */
export async function open({ url, size }: Connections): Promise<Library> {
  const pool = new Pool({ connectionString: url, max: size });
  const db = drizzle(pool, { schema, casing: 'snake_case' });
  const { byKey, byKeyRelational, page, total, ofGroup, insert, mark, deduct } = prepared(db);
  return {
    ways: {
      ...deletionsOf(db as never),
      W1: async (key) => {
        const [row] = await byKey.execute({ key });
        return row && { ...row.key, user: row.user, group: row.group };
      },
      W2: async ({ groupId, offset }) => {
        const group = BigInt(groupId);
        const [rows, [counted]] = await Promise.all([
          page.execute({ group, offset }),
          total.execute({ group }),
        ]);
        const items = rows.map((row) => ({ ...row.key, user: row.user, group: row.group }));
        return { items, total: counted?.total ?? 0 };
      },
      W3: async (group) => (await ofGroup.execute({ group: BigInt(group) })).map((row) => row.accounts),
      W4: (usage) => insert.execute({ ...usage }),
      W5: (usages) => db.insert(usageLogs).values(usages.map(asRow)),
      W6: (id) => mark.execute({ id }),
      W7: (renaming) => rename(db, renaming),
      W8: ({ userId, amount }) => deduct.execute({ id: userId, amount }),
    },
    faster: {
      W1: { rqb: async (key) => withLiveOwners(await byKeyRelational.execute({ key })) },
      W7: { unnest: (renaming) => renameAtOnce(db, renaming) },
    },
    byHand: ALL_BY_HAND,
    close: () => pool.end(),
  };
}

/** The relational queries know no condition on a single relation: a dead one is taken away afterwards. */
function withLiveOwners<Row extends { user: Owner; group: Owner }>(row: Row | undefined): Row | undefined {
  if (row?.user?.deletedAt) row.user = null;
  if (row?.group?.deletedAt) row.group = null;
  return row;
}
type Owner = { deletedAt: Date | null } | null;

const owners = (db: Db, columns: { key: object; user: object; group: object }) =>
  db
    .select(columns as unknown as { key: typeof keyOf; user: typeof userOf; group: typeof groupOf })
    .from(apiKeys)
    .leftJoin(users, and(eq(users.id, apiKeys.userId), isNull(users.deletedAt)))
    .leftJoin(groups, and(eq(groups.id, apiKeys.groupId), isNull(groups.deletedAt)));

const past = (column: AnyColumn) => or(isNull(column), lte(column, sql`now()`));

const mayServe = () =>
  and(
    isNull(accounts.deletedAt),
    eq(accounts.status, 'active'),
    eq(accounts.schedulable, true),
    past(accounts.tempUnschedulableUntil),
    past(accounts.overloadUntil),
    past(accounts.rateLimitResetAt),
    or(
      isNull(accounts.expiresAt),
      gt(accounts.expiresAt, sql`now()`),
      eq(accounts.autoPauseOnExpired, false),
    ),
  );

const shown = (fields: readonly string[]) => Object.fromEntries(fields.map((field) => [field, true]));

function prepared(db: Db) {
  const auth = {
    key: some(keyOf, FIELDS.AUTH_KEY),
    user: some(userOf, FIELDS.AUTH_USER),
    group: some(groupOf, FIELDS.AUTH_GROUP),
  };
  const full = { key: KEY, user: some(userOf, FIELDS.USER), group: some(groupOf, FIELDS.GROUP) };
  const inGroup = and(eq(apiKeys.groupId, value('group')), isNull(apiKeys.deletedAt));
  return {
    byKey: owners(db, auth)
      .where(and(eq(apiKeys.key, value('key')), isNull(apiKeys.deletedAt)))
      .prepare('by_key'),
    byKeyRelational: db.query.apiKeys
      .findFirst({
        columns: shown(FIELDS.AUTH_KEY),
        where: and(eq(apiKeys.key, value('key')), isNull(apiKeys.deletedAt)),
        with: {
          user: { columns: shown([...FIELDS.AUTH_USER, 'deletedAt']) },
          group: { columns: shown([...FIELDS.AUTH_GROUP, 'deletedAt']) },
        },
      })
      .prepare('by_key_relational') as unknown as {
      execute(values: object): Promise<{ user: Owner; group: Owner }>;
    },
    page: owners(db, full)
      .where(inGroup)
      .orderBy(desc(apiKeys.id))
      .limit(50)
      .offset(value('offset'))
      .prepare('page'),
    total: db.select({ total: count() }).from(apiKeys).where(inGroup).prepare('total'),
    ofGroup: db
      .select({ accounts: some(getTableColumns(accounts), FIELDS.ACCOUNT) })
      .from(accountGroups)
      .innerJoin(groups, and(eq(groups.id, accountGroups.groupId), isNull(groups.deletedAt)))
      .innerJoin(accounts, eq(accounts.id, accountGroups.accountId))
      .where(and(eq(accountGroups.groupId, value('group')), mayServe()))
      .orderBy(asc(accountGroups.priority), asc(accounts.priority), asc(accounts.id))
      .prepare('of_group'),
    insert: db.insert(usageLogs).values(placeholders()).returning({ id: usageLogs.id }).prepare('insert'),
    mark: db
      .update(apiKeys)
      .set({ deletedAt: sql`now()`, updatedAt: sql`now()` })
      .where(and(eq(apiKeys.id, value('id')), isNull(apiKeys.deletedAt)))
      .prepare('mark'),
    deduct: db
      .update(users)
      .set({ balance: sql`${users.balance} - ${value('amount')}`, updatedAt: sql`now()` })
      .where(and(eq(users.id, value('id')), isNull(users.deletedAt)))
      .prepare('deduct'),
  };
}

const placeholders = () =>
  Object.fromEntries(
    Object.keys(getTableColumns(usageLogs))
      .filter((name) => name !== 'id')
      .map((name) => [name, value(name)]),
  ) as never;

function asRow({ userId, apiKeyId, accountId, groupId, ...columns }: Usage) {
  return {
    ...columns,
    userId: BigInt(userId),
    apiKeyId: BigInt(apiKeyId),
    accountId: BigInt(accountId),
    groupId: BigInt(groupId),
  };
}

const load = (db: Db, ids: readonly string[]) =>
  db
    .select(KEY)
    .from(apiKeys)
    .where(and(inArray(apiKeys.id, ids.map(BigInt)), isNull(apiKeys.deletedAt)));

/** One statement for each row: the builder has no update of many rows with values of their own. */
async function rename(db: Db, { ids, round }: Renaming): Promise<void> {
  await db.transaction(async (tx) => {
    const keys = await load(tx, ids);
    for (const { id } of keys) {
      const changed = { name: newName(id, round), updatedAt: sql`now()` };
      await tx
        .update(apiKeys)
        .set(changed)
        .where(and(eq(apiKeys.id, id), isNull(apiKeys.deletedAt)));
    }
  });
}

async function renameAtOnce(db: Db, { ids, round }: Renaming): Promise<unknown> {
  const keys = await load(db, ids);
  const names = keys.map(({ id }) => newName(id, round));
  const changed = sql`unnest(${sql.param(keys.map(({ id }) => id))}::bigint[], ${sql.param(names)}::text[]) as c (id, name)`;
  return db
    .update(apiKeys)
    .set({ name: sql`c.name`, updatedAt: sql`now()` })
    .from(changed)
    .where(and(sql`c.id = ${apiKeys.id}`, isNull(apiKeys.deletedAt)));
}
