import { createHash } from 'node:crypto';
import { InvalidInputError, RuleError } from '../../kit/errors/index.ts';
import { checkOneOf } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayRules } from '../rules.ts';
import { countSoraUsage } from '../sora/count-sora-usage.ts';
import { finishSoraClaim } from '../sora/end-sora-claim.ts';
import { checkedResultUrls } from '../sora/payload.ts';
import { SORA_MEDIA, type SoraMedia } from '../sora/sora-cache-file-record.ts';
import { checkedClaim } from '../sora/sora-task-input.ts';
import type { SoraTaskClaim } from '../sora/sora-task-record.ts';
import type { UsageLogsOptions } from '../usage/usage-logs-form.ts';
import type { NewUsage, RecordedUsage } from '../usage/usage-record.ts';
import { recordUsage } from './record-usage.ts';

/** What a task has brought, and what it costs. */
export interface SoraTaskResult {
  readonly resultUrls: readonly string[] | string;
  /** Counts a success of the account. */
  readonly media: SoraMedia;
  /** The account and the request id are those of the task. */
  readonly usage: Omit<NewUsage, 'requestId' | 'accountId'>;
}

/** What a call of `completeSoraTask` left in the database. */
export interface CompletedSoraTask {
  /** False: an earlier call had completed the task, and this one changed nothing. */
  readonly completed: boolean;
  readonly usage: RecordedUsage;
}

/**
 * Finishes a claimed task, counts the success and charges for it, in one transaction. The request id of the charge is the id of the
 * task, so that a task is charged once, however often it is completed: after an error, call again with the same claim.
 *
 * @throws RuleError SORA_TASK_LOST, when the task is not this claim's any more; RuleError SORA_TASK_CHARGED_OTHERWISE, when it was
 *   completed before and there is no charge of it for this API key; InvalidInputError VALIDATION; what `recordUsage` throws. Nothing
 *   is stored then.
 */
export async function completeSoraTask(
  em: DataEntityManager,
  claim: SoraTaskClaim,
  result: SoraTaskResult,
  options: UsageLogsOptions = {},
): Promise<CompletedSoraTask> {
  const held = checkedClaim(claim);
  if (result === null || typeof result !== 'object') throw new InvalidInputError('result', 'be given');
  const { usage } = result;
  if (usage === null || typeof usage !== 'object') throw new InvalidInputError('usage', 'be given');
  const media = checkOneOf('media', result.media, SORA_MEDIA);
  const resultUrls = checkedResultUrls('resultUrls', result.resultUrls);
  const end = { status: 'completed', progress: 100, resultUrls, errorMessage: null } as const;
  return retryTransaction(em, async (tx) => {
    const { accountId, first } = await finishSoraClaim(tx, held, end);
    if (first) await countSoraUsage(tx, accountId, media);
    const requestId = requestIdOf(held.taskId);
    const charged = await recordUsage(tx, { ...usage, accountId, requestId }, options);
    // Another key, a log that retention has removed, or an end without a charge: whatever it is, it must not be charged here.
    if (!first && charged.inserted) throw new RuleError(gatewayRules.SORA_TASK_CHARGED_OTHERWISE);
    return { completed: first, usage: charged };
  });
}

/**
 * A request id is trimmed, and an empty one is none. So that no two tasks have one, and each has one, a task whose id would change
 * by that is charged under a hash of it.
 */
function requestIdOf(taskId: string): string {
  return taskId === taskId.trim() ? taskId : createHash('sha256').update(`sora:${taskId}`).digest('hex');
}
