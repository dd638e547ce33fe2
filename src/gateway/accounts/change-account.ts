import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';

/** What to write, and when: SQL with `?` for its values. */
export interface AccountAssignment {
  /** Such as `status = ?`; `updated_at` is added. */
  readonly set: string;
  readonly values: readonly unknown[];
  /** A condition besides the id and that the account is live; it is judged on the row as it is once it is locked. */
  readonly only?: { readonly sql: string; readonly values: readonly unknown[] };
}

/**
 * Changes a live account and tells the scheduler, in one statement and so together or not at all; answers whether a row
 * changed. Without one there is no event.
 */
export async function changeAccount(
  em: DataEntityManager,
  id: Id,
  { set, values, only }: AccountAssignment,
  { isTold = true } = {},
): Promise<boolean> {
  const event = `, told as (
      insert into scheduler_outbox (event_type, account_id) select 'account_changed', id from changed
    )`;
  const sql = `with changed as (
      update accounts set ${set}, updated_at = now()
      where id = ? and deleted_at is null${only ? ` and (${only.sql})` : ''} returning id
    )${isTold ? event : ''} select id from changed`;
  const change = () => em.execute<unknown[]>(sql, [...values, id, ...(only?.values ?? [])]);
  const rows = await retryStatement(em, change);
  return rows.length > 0;
}

/** Whether there is a live account. */
export async function isLiveAccount(em: DataEntityManager, id: Id): Promise<boolean> {
  const rows = await em.execute<unknown[]>('select from accounts where id = ? and deleted_at is null', [id]);
  return rows.length > 0;
}
