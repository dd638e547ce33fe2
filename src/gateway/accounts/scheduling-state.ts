import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkId, checkInteger, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { changeAccount } from './change-account.ts';
import { instantText } from './instant-text.ts';

/** The account's platform has refused it for good. */
export async function setError(em: DataEntityManager, id: Id, message: string): Promise<boolean> {
  const text = checkText('message', message);
  return changeAccount(em, checkId('id', id), {
    set: `status = 'error', error_message = ?::text`,
    values: [text],
    only: { sql: `status <> 'error' or error_message is distinct from ?::text`, values: [text] },
  });
}

export async function setSchedulable(em: DataEntityManager, id: Id, schedulable: boolean): Promise<boolean> {
  if (typeof schedulable !== 'boolean') throw new InvalidInputError('schedulable', 'be true or false');
  return changeAccount(em, checkId('id', id), {
    set: 'schedulable = ?::boolean',
    values: [schedulable],
    only: { sql: 'schedulable <> ?::boolean', values: [schedulable] },
  });
}

export async function setRateLimited(em: DataEntityManager, id: Id, resetAt: Date): Promise<boolean> {
  const set = 'rate_limited_at = now(), rate_limit_reset_at = ?::timestamptz';
  return changeAccount(em, checkId('id', id), { set, values: [instantText('resetAt', resetAt)] });
}

export async function setOverloaded(em: DataEntityManager, id: Id, until: Date): Promise<boolean> {
  const instant = instantText('until', until);
  return changeAccount(em, checkId('id', id), {
    set: 'overload_until = ?::timestamptz',
    values: [instant],
    only: { sql: 'overload_until is distinct from ?::timestamptz', values: [instant] },
  });
}

/** Only extends: a pause that is stored and ends as late or later stays, with its reason. */
export async function setTempUnschedulable(
  em: DataEntityManager,
  id: Id,
  until: Date,
  reason: string,
): Promise<boolean> {
  const instant = instantText('until', until);
  return changeAccount(em, checkId('id', id), {
    set: 'temp_unschedulable_until = ?::timestamptz, temp_unschedulable_reason = ?::text',
    values: [instant, checkText('reason', reason)],
    only: {
      sql: 'temp_unschedulable_until is null or temp_unschedulable_until < ?::timestamptz',
      values: [instant],
    },
  });
}

export async function clearTempUnschedulable(em: DataEntityManager, id: Id): Promise<boolean> {
  return clear(em, id, ['temp_unschedulable_until', 'temp_unschedulable_reason']);
}

export async function clearRateLimit(em: DataEntityManager, id: Id): Promise<boolean> {
  return clear(em, id, ['rate_limited_at', 'rate_limit_reset_at', 'overload_until']);
}

async function clear(em: DataEntityManager, id: Id, columns: readonly string[]): Promise<boolean> {
  return changeAccount(em, checkId('id', id), {
    set: columns.map((column) => `${column} = null`).join(', '),
    values: [],
    only: { sql: columns.map((column) => `${column} is not null`).join(' or '), values: [] },
  });
}

/** The status always, start and end where they are given. */
export async function updateSessionWindow(
  em: DataEntityManager,
  id: Id,
  start: Date | null | undefined,
  end: Date | null | undefined,
  status: string,
): Promise<boolean> {
  const given = [
    ['session_window_start', 'timestamptz', givenInstant('start', start)],
    ['session_window_end', 'timestamptz', givenInstant('end', end)],
    ['session_window_status', 'text', checkText('status', status, { max: 20 })],
  ].filter(([, , value]) => value !== undefined);
  const values = given.map(([, , value]) => value);
  return changeAccount(em, checkId('id', id), {
    set: given.map(([column, type]) => `${column} = ?::${type}`).join(', '),
    values,
    only: {
      sql: given.map(([column, type]) => `${column} is distinct from ?::${type}`).join(' or '),
      values,
    },
  });
}

/** Undefined where nothing is given; what is no instant is refused, also where it is empty or zero. */
function givenInstant(field: string, value: Date | null | undefined): string | undefined {
  return value === null || value === undefined ? undefined : instantText(field, value);
}

// By id, as everyone who locks several accounts. One that someone changes at this moment is left to the next run.
const PAUSE = `with locked as (
    select id from accounts
    where deleted_at is null and schedulable and auto_pause_on_expired and expires_at <= ?::timestamptz
    order by id limit ? for no key update skip locked
  ), changed as (
    update accounts a set schedulable = false, updated_at = now() from locked l
    where a.id = l.id and a.deleted_at is null returning a.id
  ), told as (
    insert into scheduler_outbox (event_type) select 'full_rebuild' from changed having count(*) > 0
  ) select count(*)::int as count from changed`;

const LARGEST_BATCH = 10_000;

/** Pauses the accounts whose time is over, batch by batch; answers how many. */
export async function autoPauseExpiredAccounts(
  em: DataEntityManager,
  now: Date,
  batchSize = 1000,
): Promise<number> {
  const values = [instantText('now', now), checkInteger('batchSize', batchSize, 1, LARGEST_BATCH)];
  for (let total = 0; ;) {
    const [row] = await retryStatement(em, () => em.execute<{ count: number }[]>(PAUSE, values));
    total += row?.count ?? 0;
    if ((row?.count ?? 0) < batchSize) return total;
  }
}
