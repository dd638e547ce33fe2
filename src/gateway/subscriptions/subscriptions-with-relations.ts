import type { EntityKey } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { type DataEntityManager, rowReader, runPrepared, scopedStatement } from '../../kit/orm/index.ts';
import { groupRecord } from '../groups/group-record.ts';
import { Group } from '../groups/group.entity.ts';
import { User } from '../users/user.entity.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import type {
  SubscriptionRecord,
  SubscriptionWithGroup,
  SubscriptionWithRelations,
  SubscriptionWithUserAndGroup,
} from './subscription-record.ts';
import { readSubscription, subscriptionColumns, type SubscriptionRow } from './subscription-row.ts';
import { UserSubscription } from './user-subscription.entity.ts';

type Visible = Parameters<Parameters<typeof scopedStatement>[1]>[0];

/** What each way of reading answers beside the subscription itself. */
interface Answers {
  readonly none: SubscriptionRecord;
  readonly group: SubscriptionWithGroup;
  readonly parents: SubscriptionWithUserAndGroup;
  readonly all: SubscriptionWithRelations;
}

export type With = keyof Answers;

// The password's hash stays where it is.
const PERSON: readonly EntityKey<User>[] = [
  'email',
  'username',
  'notes',
  'role',
  'balance',
  'concurrency',
  'status',
  'createdAt',
  'updatedAt',
];

const RELATIONS = {
  group: { alias: 'g', table: 'groups', key: 'group_id', entity: Group, reader: () => rowReader(Group, 'g') },
  user: {
    alias: 'u',
    table: 'users',
    key: 'user_id',
    entity: User,
    reader: () => rowReader(User, 'u', PERSON),
  },
  assignedByUser: {
    alias: 'a',
    table: 'users',
    key: 'assigned_by',
    entity: User,
    reader: () => rowReader(User, 'a', PERSON),
  },
} as const;

const LOADED: Readonly<Record<With, readonly (keyof typeof RELATIONS)[]>> = {
  none: [],
  group: ['group'],
  parents: ['group', 'user'],
  all: ['group', 'user', 'assignedByUser'],
};

const columns = (shape: With): string =>
  [subscriptionColumns(), ...LOADED[shape].map((name) => RELATIONS[name].reader().columns)].join(', ');

const joins = (shape: With, visible: Visible): string =>
  LOADED[shape]
    .map((name) => RELATIONS[name])
    .map(
      ({ alias, table, key, entity }) =>
        `left join ${table} ${alias} on ${alias}.id = s.${key} and ${visible(entity, alias)}`,
    )
    .join(' ');

function recordsOf<S extends With>(shape: S, rows: readonly SubscriptionRow[]): Answers[S][] {
  return rows.flatMap((row) => {
    const own = readSubscription(row);
    if (!own) return [];
    const relations = LOADED[shape].map((name) => [name, relationOf(name, row)]);
    return [Object.assign(own, Object.fromEntries(relations)) as Answers[S]];
  });
}

function relationOf(name: keyof typeof RELATIONS, row: SubscriptionRow): object | null {
  const found = RELATIONS[name].reader().read(row);
  if (!found) return null;
  return name === 'group' ? groupRecord(found as Group) : found;
}

/** A condition on the subscription `s`, whose name becomes part of the statement's. */
export interface Condition {
  readonly name: string;
  readonly sql: string;
  readonly values: readonly unknown[];
}

/** The one subscription that the condition means, in one prepared statement. */
export async function readOne<S extends With>(
  em: DataEntityManager,
  shape: S,
  { name, sql, values }: Condition,
): Promise<Answers[S] | null> {
  const statement = scopedStatement(
    `gateway_subscription_${shape}_${name}`,
    (visible) => `select ${columns(shape)} from user_subscriptions s ${joins(shape, visible)}
      where ${sql} and ${visible(UserSubscription, 's')}`,
  );
  const rows = await runPrepared<SubscriptionRow>(em, statement(), values);
  return recordsOf(shape, rows)[0] ?? null;
}

/** All that meet the condition, in one prepared statement. @throws RuleError LIST_TOO_LONG. */
export async function readAll<S extends With>(
  em: DataEntityManager,
  shape: S,
  { name, sql, values, order }: Condition & { readonly order: string },
): Promise<readonly Answers[S][]> {
  const statement = scopedStatement(
    `gateway_subscriptions_${shape}_${name}`,
    (visible) => `select ${columns(shape)} from user_subscriptions s ${joins(shape, visible)}
      where ${sql} and ${visible(UserSubscription, 's')}
      order by ${order} limit $${values.length + 1}`,
  );
  const rows = await runPrepared<SubscriptionRow>(em, statement(), [...values, ASKED_ROWS]);
  return recordsOf(shape, wholeList(rows));
}

/** A page of those that meet the condition, newest first, and how many there are, in one prepared statement. */
export async function readPage<S extends With>(
  em: DataEntityManager,
  shape: S,
  { name, sql, values, limit, offset }: Condition & { readonly limit: number; readonly offset: number },
): Promise<[Answers[S][], number]> {
  const n = values.length;
  // The total needs every one of them anyway, and the page is cut from the same rows.
  const statement = scopedStatement(
    `gateway_subscriptions_${shape}_${name}`,
    (visible) => `with own as materialized (
        select s.id, s.created_at from user_subscriptions s where ${sql} and ${visible(UserSubscription, 's')}
      )
      select t.total, ${columns(shape)}
      from (select count(*) as total from own) t
      left join (select id from own order by created_at desc, id desc limit $${n + 1} offset $${n + 2}) p on true
      left join user_subscriptions s on s.id = p.id and ${visible(UserSubscription, 's')} ${joins(shape, visible)}
      order by s.created_at desc, s.id desc`,
  );
  const rows = await runPrepared<SubscriptionRow>(em, statement(), [...values, limit, offset]);
  return [recordsOf(shape, rows), Number(rows[0]?.['total'])];
}

/** The subscription with this id. */
export const byId = (id: Id): Condition => ({ name: 'by_id', sql: 's.id = $1', values: [id] });
