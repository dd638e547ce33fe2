import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { liveOwner, ofLiveAccount } from './lock-account.ts';
import type { WrittenColumn } from './sora-account-input.ts';
import {
  SORA_ACCOUNT_COLUMNS,
  soraAccountRecord,
  type SoraAccountRecord,
  type SoraAccountRow,
} from './sora-account-record.ts';

/**
 * Inserts the row of a live account, or writes the given columns of the one that is there, in one statement: of several that
 * come at once none fails, and each writes its own columns only.
 *
 * @throws NotFoundError ACCOUNT_NOT_FOUND.
 */
export async function upsertSoraAccount(
  em: DataEntityManager,
  accountId: Id,
  columns: readonly WrittenColumn[],
): Promise<SoraAccountRecord> {
  const names = columns.map(({ column }) => `, ${column}`).join('');
  const values = columns.map(({ type }) => `, ?::${type}`).join('');
  const changes = columns.map(({ column }) => `${column} = excluded.${column}, `).join('');
  const sql = `with ${liveOwner('?')}
    insert into sora_accounts as s (account_id${names}) select o.id${values} from owner o
    on conflict (account_id) do update set ${changes}updated_at = now()
    returning ${SORA_ACCOUNT_COLUMNS}`;
  const parameters = [accountId, ...columns.map(({ value }) => value)];
  const [row] = await retryStatement(em, () => em.execute<SoraAccountRow[]>(sql, parameters));
  return soraAccountRecord(ofLiveAccount(row));
}
