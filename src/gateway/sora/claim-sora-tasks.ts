import { type DataEntityManager, type PreparedStatement, runPrepared } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import {
  type ClaimedSoraTask,
  SORA_TASK_COLUMNS,
  soraTaskRecord,
  type SoraTaskRow,
} from './sora-task-record.ts';

/** Who claims how many tasks for how long. */
export interface SoraClaimRequest {
  readonly worker: string;
  readonly leaseMs: number;
  readonly limit: number;
  readonly maxAttempts: number;
}

type ClaimRow = SoraTaskRow & { readonly claimId: string | null };

// What is locked is what another worker claims just now, so it is passed over. What may not be tried again, because it has had its
// attempts or its account is deleted, is parked by the same statement: else it would stand first in the index for ever. The words
// of the condition are those of idx_sora_tasks_claimable.
const CLAIM: PreparedStatement = {
  name: 'gateway_sora_claim_tasks',
  text: `with due as (
      select t.id, t.available_at, case
          when not exists (select from accounts a where a.id = t.account_id and a.deleted_at is null) then 'account deleted'
          when t.attempts >= $4::int then 'attempts' end as reason
      from sora_tasks t
      where t.status = 'processing' and t.parked_at is null and t.available_at <= statement_timestamp()
      order by t.available_at, t.id limit $3::int for update of t skip locked
    ), moved as (
      update sora_tasks t set parked_reason = d.reason,
        parked_at = case when d.reason is not null then statement_timestamp() end,
        claim_id = case when d.reason is null then gen_random_uuid() end,
        claimed_by = case when d.reason is null then $1::text end,
        attempts = t.attempts + case when d.reason is null then 1 else 0 end,
        retry_count = coalesce(t.retry_count, 0) + case when d.reason is null and t.attempts > 0 then 1 else 0 end,
        available_at = case when d.reason is null
          then statement_timestamp() + make_interval(secs => $2::float8 / 1000) else t.available_at end
      from due d where t.id = d.id
      returning t.*, d.available_at as due_at
    )
    select ${SORA_TASK_COLUMNS}, t.claim_id as "claimId" from moved t order by t.due_at, t.id`,
};

/** Claims up to `limit` tasks that nobody works on, the longest available ones first. */
export async function claimSoraTasks(
  em: DataEntityManager,
  { worker, leaseMs, limit, maxAttempts }: SoraClaimRequest,
): Promise<ClaimedSoraTask[]> {
  const claimed: ClaimedSoraTask[] = [];
  for (;;) {
    const asked = limit - claimed.length;
    const values = [worker, leaseMs, asked, maxAttempts];
    const rows = await retryStatement(em, () => runPrepared<ClaimRow>(em, CLAIM, values));
    for (const { claimId, ...row } of rows) {
      if (claimId !== null) claimed.push({ ...soraTaskRecord(row), claimId });
    }
    // Those that were parked have given nobody work, though there may be some behind them.
    if (rows.length < asked || claimed.length === limit) return claimed;
  }
}
