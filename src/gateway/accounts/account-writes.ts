import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError, RuleError } from '../../kit/errors/index.ts';
import { checkId, checkIds } from '../../kit/input/index.ts';
import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { enqueueEvent } from '../outbox/enqueue-event.ts';
import { lockLiveProxy } from '../proxies/lock-proxy.ts';
import { gatewayRules } from '../rules.ts';
import { checkedColumns, type ColumnValue, WRITABLE_IN_BULK } from './account-input.ts';
import { findAccount } from './account-lists.ts';
import type { AccountChange, AccountRecord, BulkAccountChange, NewAccount } from './account-record.ts';
import { type AccountAssignment, changeAccount, isLiveAccount } from './change-account.ts';
import { type JsonAssignment, jsonAssignments } from './json-changes.ts';

/** Inserts an account and its event, and reads it before anybody else can change it. @throws RuleError ACCOUNT_NIL_INPUT; InvalidInputError VALIDATION. */
export async function insertAccount(em: DataEntityManager, account: NewAccount): Promise<AccountRecord> {
  if (account === null || account === undefined) throw new RuleError(gatewayRules.ACCOUNT_NIL_INPUT);
  const { columns, json } = checkedNew(account);
  const groupIds = checkIds('groupIds', account.groupIds ?? []);
  const all = [
    ...columns,
    ...json.map(({ column, values }) => ({ column, type: 'jsonb', value: values[1] })),
  ];
  const sql = `insert into accounts (${all.map(({ column }) => column).join(', ')})
    values (${all.map(({ type }) => `?::${type}`).join(', ')}) returning id`;
  return write(em, async (tx) => {
    await keepProxy(tx, columns);
    const [row] = await tx.execute<{ id: Id }[]>(
      sql,
      all.map(({ value }) => value),
    );
    const accountId = row?.id ?? '';
    const payload = groupIds.length > 0 ? { group_ids: groupIds } : undefined;
    await enqueueEvent(tx, { eventType: 'account_changed', accountId, payload });
    return readBack(tx, accountId);
  });
}

function checkedNew(account: NewAccount): { columns: ColumnValue[]; json: JsonAssignment[] } {
  for (const name of ['name', 'platform', 'type'] as const) {
    if (account[name] === undefined) throw new InvalidInputError(name, 'be given');
  }
  const json = jsonAssignments({
    credentials: account.credentials ?? undefined,
    extra: account.extra ?? undefined,
  });
  return { columns: checkedColumns(account), json };
}

/**
 * Writes what differs from what is stored, and the event where anything does; answers the account as this has left it.
 *
 * @throws NotFoundError ACCOUNT_NOT_FOUND, PROXY_NOT_FOUND; InvalidInputError VALIDATION.
 */
export async function updateAccount(em: DataEntityManager, change: AccountChange): Promise<AccountRecord> {
  if (change === null || change === undefined) throw new RuleError(gatewayRules.ACCOUNT_NIL_INPUT);
  const id = checkId('id', change.id);
  const columns = checkedColumns(change);
  const json = jsonAssignments(change);
  return write(em, async (tx) => {
    await keepProxy(tx, columns);
    await changeOrFail(tx, id, columns, json);
    return readBack(tx, id);
  });
}

/** What this transaction has left: after its end another one may have deleted the account. */
async function readBack(em: DataEntityManager, id: Id): Promise<AccountRecord> {
  const account = await findAccount(em, id);
  if (account) return account;
  throw new NotFoundError('Account', gatewayErrors);
}

/** @throws NotFoundError ACCOUNT_NOT_FOUND. */
export async function changeOrFail(
  em: DataEntityManager,
  id: Id,
  columns: readonly ColumnValue[],
  json: readonly JsonAssignment[],
  isTold = true,
): Promise<boolean> {
  const assignment = assignmentOf(columns, json);
  if (assignment) {
    const only = differs(columns, json);
    if (await changeAccount(em, id, { ...assignment, only }, { isTold })) return true;
  }
  if (await isLiveAccount(em, id)) return false;
  throw new NotFoundError('Account', gatewayErrors);
}

// By id, as everyone who locks several accounts: two that change the same ones in another order would deadlock.
const BULK = (set: string): string => `with locked as (
    select id from accounts where id = any (?::bigint[]) and deleted_at is null order by id for no key update
  ), changed as (
    update accounts a set ${set}, updated_at = now() from locked l
    where a.id = l.id and a.deleted_at is null returning a.id
  ), told as (
    insert into scheduler_outbox (event_type, payload)
    select 'account_bulk_changed', jsonb_build_object('account_ids', jsonb_agg(id::text order by id))
    from changed having count(*) > 0
  ) select count(*)::int as count from changed`;

/** One change for many live accounts; answers how many there were. @throws NotFoundError PROXY_NOT_FOUND. */
export async function updateAccounts(
  em: DataEntityManager,
  ids: readonly Id[],
  change: BulkAccountChange,
): Promise<number> {
  if (change === null || change === undefined) throw new InvalidInputError('change', 'be given');
  const accounts = checkIds('ids', ids);
  const columns = checkedColumns(change, WRITABLE_IN_BULK);
  const assignment = assignmentOf(columns, jsonAssignments(change));
  if (accounts.length === 0 || !assignment) return 0;
  return write(em, async (tx) => {
    await keepProxy(tx, columns);
    const values = [`{${accounts.join(',')}}`, ...assignment.values];
    const [row] = await tx.execute<{ count: number }[]>(BULK(assignment.set), values);
    return row?.count ?? 0;
  });
}

function assignmentOf(
  columns: readonly ColumnValue[],
  json: readonly JsonAssignment[],
): AccountAssignment | undefined {
  if (columns.length + json.length === 0) return undefined;
  const sets = [
    ...columns.map(({ column, type }) => `${column} = ?::${type}`),
    ...json.map(({ column, expression }) => `${column} = ${expression}`),
  ];
  return { set: sets.join(', '), values: valuesOf(columns, json) };
}

function differs(
  columns: readonly ColumnValue[],
  json: readonly JsonAssignment[],
): AccountAssignment['only'] {
  const conditions = [
    ...columns.map(({ column, type }) => `${column} is distinct from ?::${type}`),
    ...json.map(({ column, expression }) => `${column} is distinct from ${expression}`),
  ];
  return { sql: conditions.join(' or '), values: valuesOf(columns, json) };
}

const valuesOf = (columns: readonly ColumnValue[], json: readonly JsonAssignment[]): unknown[] => [
  ...columns.map(({ value }) => value),
  ...json.flatMap(({ values }) => values),
];

function write<T>(em: DataEntityManager, work: (tx: DataEntityManager) => Promise<T>): Promise<T> {
  return retryTransaction(em, (tx) => unitOfWork(tx, work));
}

/** A deleted proxy satisfies the foreign key, so an account that is given one holds on to it first. */
async function keepProxy(em: DataEntityManager, columns: readonly ColumnValue[]): Promise<void> {
  const proxy = columns.find(({ column }) => column === 'proxy_id')?.value;
  if (typeof proxy === 'string') await lockLiveProxy(em, proxy);
}
