import { RuleError } from '../../kit/errors/index.ts';
import { type DataEntityManager, type StoredInstant, storedInstant } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { gatewayRules } from '../rules.ts';
import type { SoraTaskClaim } from './sora-task-record.ts';

/** How a claimed task ended. */
export interface SoraTaskEnd {
  readonly status: 'completed' | 'failed';
  readonly progress: number | null;
  readonly resultUrls: string | null;
  readonly errorMessage: string | null;
}

// A claim that was taken over has another id, one of a parked task has none, and a finished task is not processing.
const HELD = `task_id = ? and claim_id = ?::uuid and status = 'processing'`;

const FINISH = `update sora_tasks set status = ?, progress = coalesce(?::float8, progress), result_urls = coalesce(?, result_urls),
    error_message = coalesce(?, error_message), completed_at = statement_timestamp()
  where ${HELD} returning account_id`;

const FINISHED = `select account_id from sora_tasks where task_id = ? and claim_id = ?::uuid and status = ?`;

const EXTEND = `update sora_tasks set available_at = statement_timestamp() + make_interval(secs => ?::float8 / 1000),
    progress = coalesce(?::float8, progress) where ${HELD} returning available_at`;

// A claim that does not count has not been a repeated one either; the first one was none.
const GIVE_BACK = `update sora_tasks set claim_id = null, claimed_by = null, attempts = attempts - g.uncounted,
    retry_count = retry_count - case when attempts > 1 then g.uncounted else 0 end,
    error_message = coalesce(?, error_message),
    available_at = statement_timestamp() + make_interval(secs => ?::float8 / 1000)
  from (select ?::int as uncounted) g where ${HELD}`;

/**
 * Finishes a task that is still held by the claim. The claim stays written there, so that a repeated call is known as one:
 * it changes nothing and is not `first`.
 *
 * @throws RuleError SORA_TASK_LOST.
 */
export async function finishSoraClaim(
  em: DataEntityManager,
  { taskId, claimId }: SoraTaskClaim,
  { status, progress, resultUrls, errorMessage }: SoraTaskEnd,
): Promise<{ readonly accountId: string; readonly first: boolean }> {
  const values = [status, progress, resultUrls, errorMessage, taskId, claimId];
  const [ended] = await retryStatement(em, () => em.execute<{ account_id: string }[]>(FINISH, values));
  if (ended) return { accountId: ended.account_id, first: true };
  const [before] = await em.execute<{ account_id: string }[]>(FINISHED, [taskId, claimId, status]);
  if (before) return { accountId: before.account_id, first: false };
  throw new RuleError(gatewayRules.SORA_TASK_LOST);
}

/** Lets a lease end later than it would; answers when. @throws RuleError SORA_TASK_LOST. */
export async function extendSoraClaim(
  em: DataEntityManager,
  { taskId, claimId }: SoraTaskClaim,
  { leaseMs, progress }: { readonly leaseMs: number; readonly progress: number | null },
): Promise<Date> {
  const values = [leaseMs, progress, taskId, claimId];
  const extend = () => em.execute<{ available_at: StoredInstant }[]>(EXTEND, values);
  const [row] = await retryStatement(em, extend);
  if (row) return storedInstant(row.available_at);
  throw new RuleError(gatewayRules.SORA_TASK_LOST);
}

/** Lets others claim the task when the pause is over. @throws RuleError SORA_TASK_LOST. */
export async function giveBackSoraClaim(
  em: DataEntityManager,
  { taskId, claimId }: SoraTaskClaim,
  given: { readonly delayMs: number; readonly errorMessage: string | null; readonly uncounted: boolean },
): Promise<void> {
  const values = [given.errorMessage, given.delayMs, given.uncounted ? 1 : 0, taskId, claimId];
  const giveBack = () => em.execute<{ affectedRows: number }>(GIVE_BACK, values, 'run');
  const { affectedRows } = await retryStatement(em, giveBack);
  if (affectedRows === 0) throw new RuleError(gatewayRules.SORA_TASK_LOST);
}
