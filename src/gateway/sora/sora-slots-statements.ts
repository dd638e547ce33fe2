import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import {
  type DataEntityManager,
  type PreparedStatement,
  runPrepared,
  type StoredInstant,
  storedInstant,
} from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { liveOwner } from './lock-account.ts';

/** Slots of an account that somebody has, until they are released or the lease ends. */
export interface SoraSlotLease {
  readonly leaseId: string;
  readonly accountId: Id;
  readonly images: number;
  readonly videos: number;
  readonly leaseUntil: Date;
}

/** What is to be had, by whom and for how long. */
export interface SoraSlotRequest {
  readonly accountId: Id;
  readonly images: number;
  readonly videos: number;
  readonly holder: string;
  readonly leaseMs: number;
}

// The account first, as in every statement that gives it a row: a transaction that has changed it and then writes its Sora row would
// else wait for this one in a circle. It comes first because the row is locked above the join, and the join reads the account.
const LOCK: PreparedStatement = {
  name: 'gateway_sora_lock_slots',
  text: `with ${liveOwner('$1')}
    select current_setting('transaction_isolation') as isolation
    from owner o join sora_accounts s on s.account_id = o.id for no key update of s`,
};

const fits = (kind: 'image' | 'video', parameter: string): string =>
  `(${parameter}::int = 0 or (coalesce(s.${kind}_enabled, true) and (coalesce(s.${kind}_concurrency, -1) < 0
    or u.${kind}s + ${parameter}::int <= s.${kind}_concurrency)))`;

// Both kinds are one row, so there is no half of a request. Leases that have ended are neither counted nor kept.
const TAKE: PreparedStatement = {
  name: 'gateway_sora_take_slots',
  text: `with ended as (
      delete from sora_slots where account_id = $1::bigint and lease_until <= statement_timestamp()
    ), u as (
      select coalesce(sum(images), 0)::int as images, coalesce(sum(videos), 0)::int as videos
      from sora_slots where account_id = $1::bigint and lease_until > statement_timestamp()
    )
    insert into sora_slots as l (account_id, images, videos, holder, lease_until)
    select s.account_id, $2::int, $3::int, $4::text, statement_timestamp() + make_interval(secs => $5::float8 / 1000)
    from sora_accounts s, u
    where s.account_id = $1::bigint and ${fits('image', '$2')} and ${fits('video', '$3')}
    returning l.lease_id as id, l.lease_until as until`,
};

const EXTEND: PreparedStatement = {
  name: 'gateway_sora_extend_slots',
  text: `update sora_slots set lease_until = statement_timestamp() + make_interval(secs => $2::float8 / 1000)
    where lease_id = $1::uuid and lease_until > statement_timestamp() returning lease_until as until`,
};

/**
 * Makes those who count and take the slots of one account follow each other. It is the row of the limits that is locked: they
 * cannot change in between, two accounts never wait for each other as two hashes of an advisory lock may, and a pooler that gives
 * each transaction another session does not matter. What is counted must come by another statement, because this one may have
 * waited and saw the slots of before.
 *
 * @throws NotFoundError ACCOUNT_NOT_FOUND, when it has no such row or is deleted; InvalidInputError for a transaction that reads
 *   one state throughout, and so could not see what those before it took.
 */
export async function lockSoraSlots(em: DataEntityManager, accountId: Id): Promise<void> {
  const [row] = await runPrepared<{ isolation: string }>(em, LOCK, [accountId]);
  if (!row) throw new NotFoundError('Account', gatewayErrors);
  if (row.isolation !== 'read committed')
    throw new InvalidInputError('em', 'be in no transaction, or in one at READ COMMITTED');
}

/** Takes slots when all of them are free; null when not. Call it behind {@link lockSoraSlots}, in one transaction. */
export async function takeSoraSlots(
  em: DataEntityManager,
  { accountId, images, videos, holder, leaseMs }: SoraSlotRequest,
): Promise<SoraSlotLease | null> {
  const values = [accountId, images, videos, holder, leaseMs];
  const [row] = await runPrepared<{ id: string; until: StoredInstant }>(em, TAKE, values);
  return row ? { leaseId: row.id, accountId, images, videos, leaseUntil: storedInstant(row.until) } : null;
}

/** Null when the lease has ended: its slots may be another's. Call it behind {@link lockSoraSlots}, which keeps out who counts. */
export async function extendSoraSlots(
  em: DataEntityManager,
  leaseId: string,
  leaseMs: number,
): Promise<Date | null> {
  const [row] = await runPrepared<{ until: StoredInstant }>(em, EXTEND, [leaseId, leaseMs]);
  return row ? storedInstant(row.until) : null;
}
