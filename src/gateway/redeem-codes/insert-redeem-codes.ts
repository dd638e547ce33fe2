import type { Id } from '../../kit/columns/index.ts';
import { NotFoundError } from '../../kit/errors/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import type { CheckedRedeemCode } from './redeem-code-input.ts';
import { type RedeemCodeRecord, redeemCodeRecord } from './redeem-code-record.ts';
import { RedeemCode } from './redeem-code.entity.ts';

// FOR SHARE, because a soft delete changes no key; by id, so that two batches do not deadlock.
const LOCK_GROUPS =
  'select id from groups where id = any (?::bigint[]) and deleted_at is null order by id for share';
const LOCK_USERS =
  'select id from users where id = any (?::bigint[]) and deleted_at is null order by id for share';

// One parameter, whatever the number of rows: a list of VALUES ends at 65,535 parameters. Ids are in the order given, but
// rows are inserted by code: two batches with the same codes meet in the first of them and do not deadlock.
const INSERT = `insert into redeem_codes (id, code, type, value, status, used_by, used_at, notes, group_id, validity_days)
  select * from (
    select nextval('redeem_codes_id_seq'), code, coalesce(type, 'balance'), value, coalesce(status, 'unused'), "usedBy",
      "usedAt", notes, "groupId", coalesce("validityDays", 30)
    from rows from (jsonb_to_recordset(?::jsonb) as (
      code text, type text, value numeric, status text, "usedBy" bigint, "usedAt" timestamptz, notes text, "groupId" bigint,
      "validityDays" integer
    )) with ordinality order by ordinality
  ) given order by code collate "C"
  returning *`;

/**
 * Inserts checked codes in one statement, in their order. Call it inside a transaction.
 *
 * @throws ConflictError REDEEM_CODE_EXISTS; NotFoundError GROUP_NOT_FOUND, USER_NOT_FOUND, also for deleted ones.
 */
export async function insertRedeemCodes(
  em: DataEntityManager,
  codes: readonly CheckedRedeemCode[],
): Promise<RedeemCodeRecord[]> {
  await lockLive(em, LOCK_GROUPS, 'Group', idsOf(codes, 'groupId'));
  await lockLive(em, LOCK_USERS, 'User', idsOf(codes, 'usedBy'));
  const rows = await em.execute<object[]>(INSERT, [JSON.stringify(codes)]);
  const made = new Map(rows.map((row) => [(row as { code: string }).code, row]));
  return codes.map(({ code }) => redeemCodeRecord(em.map(RedeemCode, made.get(code as string) as never)));
}

/** Locks the live group and the live user that a code shall name. */
export async function lockTargets(em: DataEntityManager, code: CheckedRedeemCode): Promise<void> {
  await lockLive(em, LOCK_GROUPS, 'Group', idsOf([code], 'groupId'));
  await lockLive(em, LOCK_USERS, 'User', idsOf([code], 'usedBy'));
}

async function lockLive(em: DataEntityManager, sql: string, entity: string, ids: Set<Id>): Promise<void> {
  if (ids.size === 0) return;
  const rows = await em.execute<unknown[]>(sql, [`{${[...ids].join(',')}}`]);
  if (rows.length < ids.size) throw new NotFoundError(entity, gatewayErrors);
}

function idsOf(codes: readonly CheckedRedeemCode[], column: 'groupId' | 'usedBy'): Set<Id> {
  return new Set(codes.map((code) => code[column]).filter((id) => typeof id === 'string'));
}
