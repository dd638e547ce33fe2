import { type ExpressionBuilder, Kysely, PostgresDialect, sql } from 'kysely';
import { jsonObjectFrom } from 'kysely/helpers/postgres';
import { Pool } from 'pg';
import {
  type Connections,
  type KeyRow,
  type Library,
  newName,
  type PageRequest,
  type Renaming,
  type Usage,
  USAGE_FIELDS,
} from '../comparison/library.ts';
import { column, FIELDS, nested } from '../comparison/statements.ts';
import { ALL_BY_HAND } from '../comparison/trees/deletions.ts';
import { deletionsOf } from './deletion/kysely.ts';

interface Dead {
  readonly deleted_at: Date | null;
  readonly updated_at: Date;
}
interface Database {
  users: Dead & { id: string; balance: string };
  groups: Dead & { id: string };
  api_keys: Dead & { id: string; user_id: string; group_id: string | null; key: string; name: string };
  accounts: Dead & {
    id: string;
    priority: number;
    status: string;
    schedulable: boolean;
    auto_pause_on_expired: boolean;
    expires_at: Date | null;
    temp_unschedulable_until: Date | null;
    overload_until: Date | null;
    rate_limit_reset_at: Date | null;
  };
  account_groups: { account_id: string; group_id: string; priority: number };
  usage_logs: Record<string, string | number>;
}
type Db = Kysely<Database>;

/** Kysely writes `column as "property"`; the lists are those of the other libraries. */
const aliased = (table: string, fields: readonly string[], prefix = ''): never =>
  fields.map((field) => `${table}.${column(field)} as ${prefix}${field}`) as never;

/** Kysely with the condition on dead rows written out: it is a query builder, and has no soft delete of its own. */
export async function open({ url, size }: Connections): Promise<Library> {
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: new Pool({ connectionString: url, max: size }) }),
  });
  return {
    ways: {
      ...deletionsOf(db as never),
      W1: (key) => byKey(db, key),
      W2: (request) => pageOfKeys(db, request),
      W3: (group) => accountsOfGroup(db, group),
      W4: (usage) =>
        db.insertInto('usage_logs').values(asColumns(usage)).returning('id').executeTakeFirstOrThrow(),
      W5: (usages) => db.insertInto('usage_logs').values(usages.map(asColumns)).execute(),
      W6: (id) =>
        db
          .updateTable('api_keys')
          .set({ deleted_at: sql`now()`, updated_at: sql`now()` })
          .where('id', '=', id)
          .where('deleted_at', 'is', null)
          .execute(),
      W7: (renaming) => rename(db, renaming),
      W8: ({ userId, amount }) =>
        db
          .updateTable('users')
          .set((eb) => ({ balance: eb('balance', '-', amount), updated_at: sql`now()` }))
          .where('id', '=', userId)
          .where('deleted_at', 'is', null)
          .execute(),
    },
    faster: { W1: { json: (key) => byKeyAsJson(db, key) } },
    byHand: ALL_BY_HAND,
    close: () => db.destroy(),
  };
}

const owners = (db: Db) =>
  db
    .selectFrom('api_keys as k')
    .leftJoin('users as u', (join) => join.onRef('u.id', '=', 'k.user_id').on('u.deleted_at', 'is', null))
    .leftJoin('groups as g', (join) => join.onRef('g.id', '=', 'k.group_id').on('g.deleted_at', 'is', null))
    .where('k.deleted_at', 'is', null);

async function byKey(db: Db, key: string): Promise<KeyRow | undefined> {
  const row = await owners(db)
    .select(aliased('k', FIELDS.AUTH_KEY))
    .select(aliased('u', FIELDS.AUTH_USER, 'u_'))
    .select(aliased('g', FIELDS.AUTH_GROUP, 'g_'))
    .where('k.key', '=', key)
    .executeTakeFirst();
  return row && nested(row);
}

/** As the page on relations shows it. */
async function byKeyAsJson(db: Db, key: string): Promise<KeyRow | undefined> {
  return db
    .selectFrom('api_keys as k')
    .select(aliased('k', FIELDS.AUTH_KEY))
    .select((eb) => [
      jsonObjectFrom(
        eb
          .selectFrom('users as u')
          .select(aliased('u', FIELDS.AUTH_USER))
          .whereRef('u.id', '=', 'k.user_id')
          .where('u.deleted_at', 'is', null),
      ).as('user'),
      jsonObjectFrom(
        eb
          .selectFrom('groups as g')
          .select(aliased('g', FIELDS.AUTH_GROUP))
          .whereRef('g.id', '=', 'k.group_id')
          .where('g.deleted_at', 'is', null),
      ).as('group'),
    ])
    .where('k.key', '=', key)
    .where('k.deleted_at', 'is', null)
    .executeTakeFirst();
}

async function pageOfKeys(db: Db, { groupId, offset, limit }: PageRequest) {
  const page = owners(db)
    .select(aliased('k', FIELDS.KEY))
    .select(aliased('u', FIELDS.USER, 'u_'))
    .select(aliased('g', FIELDS.GROUP, 'g_'))
    .where('k.group_id', '=', groupId)
    .orderBy('k.id', 'desc')
    .limit(limit)
    .offset(offset)
    .execute();
  const count = db
    .selectFrom('api_keys')
    .select((eb) => eb.fn.countAll<string>().as('total'))
    .where('group_id', '=', groupId)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  const [rows, { total }] = await Promise.all([page, count]);
  return { items: rows.map(nested), total: Number(total) };
}

type Accounts = Database & { a: Database['accounts'] };

function mayServe(eb: ExpressionBuilder<Accounts, 'a'>) {
  const past = (name: 'a.temp_unschedulable_until' | 'a.overload_until' | 'a.rate_limit_reset_at') =>
    eb.or([eb(name, 'is', null), eb(name, '<=', sql<Date>`now()`)]);
  return eb.and([
    eb('a.deleted_at', 'is', null),
    eb('a.status', '=', 'active'),
    eb('a.schedulable', '=', true),
    past('a.temp_unschedulable_until'),
    past('a.overload_until'),
    past('a.rate_limit_reset_at'),
    eb.or([
      eb('a.expires_at', 'is', null),
      eb('a.expires_at', '>', sql<Date>`now()`),
      eb('a.auto_pause_on_expired', '=', false),
    ]),
  ]);
}

async function accountsOfGroup(db: Db, group: string): Promise<object[]> {
  return db
    .selectFrom('account_groups as b')
    .innerJoin('groups as g', (join) => join.onRef('g.id', '=', 'b.group_id').on('g.deleted_at', 'is', null))
    .innerJoin('accounts as a', 'a.id', 'b.account_id')
    .select(aliased('a', FIELDS.ACCOUNT))
    .where('b.group_id', '=', group)
    .where((eb) => mayServe(eb as never))
    .orderBy('b.priority')
    .orderBy('a.priority')
    .orderBy('a.id')
    .execute();
}

async function rename(db: Db, { ids, round }: Renaming): Promise<unknown> {
  const keys = await db
    .selectFrom('api_keys as k')
    .select(['k.id', 'k.name'])
    .select(aliased('k', FIELDS.KEY))
    .where('k.id', 'in', [...ids])
    .where('k.deleted_at', 'is', null)
    .execute();
  for (const key of keys) key.name = newName(key.id, round);
  const [changedIds, names] = [keys.map((key) => key.id), keys.map((key) => key.name)];
  return db
    .updateTable('api_keys as k')
    .from(
      sql<{ id: string; name: string }>`unnest(${changedIds}::bigint[], ${names}::text[])`.as<'c'>(
        sql`c (id, name)`,
      ),
    )
    .set((eb) => ({ name: eb.ref('c.name'), updated_at: sql<Date>`now()` }))
    .whereRef('k.id', '=', 'c.id')
    .where('k.deleted_at', 'is', null)
    .execute();
}

const asColumns = (usage: Usage): Record<string, string | number> =>
  Object.fromEntries(USAGE_FIELDS.map((field) => [column(field), usage[field]]));
