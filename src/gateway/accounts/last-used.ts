import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkId } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { instantText } from './instant-text.ts';

const SECONDS = 'floor(extract(epoch from last_used_at))::bigint';

const ONE = `with changed as (
    update accounts set last_used_at = now(), updated_at = now()
    where id = ? and deleted_at is null and (last_used_at is null or last_used_at < now())
    returning id, last_used_at
  ), told as (
    insert into scheduler_outbox (event_type, account_id, payload)
    select 'account_last_used', id, jsonb_build_object('last_used', jsonb_build_object(id::text, ${SECONDS}))
    from changed
  ) select id from changed`;

// Locked by id, because two flushes that have the same accounts in another order would deadlock. A flush that waited sees
// what the other one has written, and moves nothing back.
const MANY = `with given as (
    select id, at from unnest(?::bigint[], ?::timestamptz[]) as given (id, at)
  ), locked as (
    select a.id, g.at from accounts a join given g on g.id = a.id
    where a.deleted_at is null order by a.id for no key update of a
  ), changed as (
    update accounts a set last_used_at = greatest(a.last_used_at, l.at), updated_at = now()
    from locked l where a.id = l.id and a.deleted_at is null and (a.last_used_at is null or a.last_used_at < l.at)
    returning a.id, a.last_used_at
  ), told as (
    insert into scheduler_outbox (event_type, payload)
    select 'account_last_used', jsonb_build_object('last_used', jsonb_object_agg(id::text, ${SECONDS}))
    from changed having count(*) > 0
  ) select count(*)::int as count from changed`;

/** Says that an account is used now; answers whether that is later than what was stored. */
export async function touchLastUsed(em: DataEntityManager, accountId: Id): Promise<boolean> {
  const id = checkId('id', accountId);
  return (await retryStatement(em, () => em.execute<unknown[]>(ONE, [id]))).length > 0;
}

/** The same of several accounts, each with its instant; answers how many moved. @throws InvalidInputError VALIDATION. */
export async function touchLastUsedOf(em: DataEntityManager, times: ReadonlyMap<Id, Date>): Promise<number> {
  if (!(times instanceof Map)) throw new InvalidInputError('times', 'be a Map from ids to Dates');
  const given = [...times].map(([id, at]) => [checkId('times', id), instantText('times', at)] as const);
  if (given.length === 0) return 0;
  const ids = `{${given.map(([id]) => id).join(',')}}`;
  const instants = `{${given.map(([, at]) => at).join(',')}}`;
  const touch = () => em.execute<{ count: number }[]>(MANY, [ids, instants]);
  const [row] = await retryStatement(em, touch);
  return row?.count ?? 0;
}
