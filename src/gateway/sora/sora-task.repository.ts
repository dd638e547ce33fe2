import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import {
  checkGiven,
  checkInstant,
  checkInteger,
  checkOneOf,
  checkOptionalId,
  checkText,
} from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { retryStatement } from '../../kit/transactions/index.ts';
import { claimSoraTasks } from './claim-sora-tasks.ts';
import { extendSoraClaim, finishSoraClaim, giveBackSoraClaim } from './end-sora-claim.ts';
import { liveOwner, ofLiveAccount } from './lock-account.ts';
import { failParkedTasks, readParkedTasks, requeueParkedTasks } from './parked-sora-tasks.ts';
import { checkedResultUrls, checkPayload } from './payload.ts';
import {
  checkedClaim,
  checkedDelay,
  checkedHolder,
  checkedLease,
  checkedProgress,
  checkedTask,
  checkedTaskIds,
} from './sora-task-input.ts';
import {
  type ClaimedSoraTask,
  type NewSoraTask,
  SORA_TASK_COLUMNS,
  SORA_TASK_STATUSES,
  type SoraTaskClaim,
  soraTaskRecord,
  type SoraTaskRecord,
  type SoraTaskRow,
  type SoraTaskStatus,
} from './sora-task-record.ts';

const DEFAULT_ATTEMPTS = 5;
const DEFAULT_LIMIT = 100;
const LARGEST_LIMIT = 1000;

const CREATE = `with ${liveOwner('?')}
  insert into sora_tasks as t (account_id, task_id, model, prompt, progress)
  select id, ?, ?, ?, ?::float8 from owner returning ${SORA_TASK_COLUMNS}`;

const READ = `select ${SORA_TASK_COLUMNS} from sora_tasks t where t.task_id = ?`;

// What is finished stays as it is, whoever comes late: the condition is judged again after a wait for the row. A task that is
// finished here belongs to no claim any more.
const UPDATE_STATUS = `update sora_tasks t set status = g.status, progress = g.progress,
    result_urls = coalesce(g.urls, t.result_urls), error_message = coalesce(g.message, t.error_message),
    completed_at = coalesce(g.completed, case when g.final then statement_timestamp() else t.completed_at end),
    claim_id = case when not g.final then t.claim_id end, claimed_by = case when not g.final then t.claimed_by end,
    parked_at = case when not g.final then t.parked_at end, parked_reason = case when not g.final then t.parked_reason end
  from (select ?::text as status, ?::float8 as progress, ?::text as urls, ?::text as message, ?::timestamptz as completed,
    ?::boolean as final) g
  where t.task_id = ? and t.status not in ('completed', 'failed')`;

/**
 * Pictures and videos that were ordered. A task is processing until it is completed or has failed, and stays so. Workers share
 * tasks by claims; every method joins the transaction of the entity manager that it was given.
 */
export class SoraTaskRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** @throws ConflictError SORA_TASK_EXISTS; NotFoundError ACCOUNT_NOT_FOUND; InvalidInputError VALIDATION. */
  async create(task: NewSoraTask): Promise<SoraTaskRecord> {
    const values = checkedTask(task);
    const [row] = await retryStatement(this.#em, () => this.#em.execute<SoraTaskRow[]>(CREATE, values));
    return soraTaskRecord(ofLiveAccount(row));
  }

  /** Null when there is none. */
  async findByTaskId(taskId: string): Promise<SoraTaskRecord | null> {
    const [row] = await this.#em.execute<SoraTaskRow[]>(READ, [checkText('taskId', taskId)]);
    return row ? soraTaskRecord(row) : null;
  }

  /**
   * For programs that do not claim. Empty texts leave their column; a final status without `completedAt` is completed now.
   * Answers whether a row changed: not for an unknown or empty task id, and not for a task that is finished.
   *
   * @throws InvalidInputError VALIDATION.
   */
  async updateStatus(
    taskId: string,
    status: SoraTaskStatus,
    progress: number,
    resultUrls?: readonly string[] | string | null,
    errorMessage?: string | null,
    completedAt?: Date | null,
  ): Promise<boolean> {
    const id = checkText('taskId', taskId);
    const word = checkOneOf('status', status, SORA_TASK_STATUSES);
    const values = [
      word,
      checkedProgress(progress),
      checkedResultUrls('resultUrls', resultUrls),
      checkedMessage(errorMessage),
      completedAt === undefined || completedAt === null ? null : checkInstant('completedAt', completedAt),
      word !== 'processing',
      id,
    ];
    if (id === '') return false;
    const update = () => this.#em.execute<{ affectedRows: number }>(UPDATE_STATUS, values, 'run');
    return (await retryStatement(this.#em, update)).affectedRows > 0;
  }

  /**
   * Claims tasks that nobody works on, for `leaseMs`: new ones, given back ones, and those whose lease has ended. What was claimed
   * `maxAttempts` times (5 unless told), or whose account is deleted, becomes a dead letter instead.
   *
   * @throws InvalidInputError VALIDATION.
   */
  async claim(request: {
    readonly worker: string;
    readonly leaseMs: number;
    /** 1 unless told, at most 1,000. */
    readonly limit?: number;
    readonly maxAttempts?: number;
  }): Promise<ClaimedSoraTask[]> {
    if (request === null || typeof request !== 'object') throw new InvalidInputError('request', 'be given');
    return claimSoraTasks(this.#em, {
      worker: checkedHolder('worker', request.worker),
      leaseMs: checkedLease(request.leaseMs),
      limit: checkInteger('limit', request.limit ?? 1, 1, LARGEST_LIMIT),
      maxAttempts: checkInteger('maxAttempts', request.maxAttempts ?? DEFAULT_ATTEMPTS, 1),
    });
  }

  /** Says that the work goes on, and how far it is; answers the new end of the lease. @throws RuleError SORA_TASK_LOST. */
  async extend(claim: SoraTaskClaim, leaseMs: number, progress?: number): Promise<Date> {
    const given = {
      leaseMs: checkedLease(leaseMs),
      progress: progress === undefined ? null : checkedProgress(progress),
    };
    return extendSoraClaim(this.#em, checkedClaim(claim), given);
  }

  /**
   * Finishes a claimed task; false: this claim had finished it before. To charge in the same transaction, call the operation
   * `completeSoraTask`.
   *
   * @throws RuleError SORA_TASK_LOST, when the task is not this claim's any more; InvalidInputError VALIDATION.
   */
  async complete(claim: SoraTaskClaim, resultUrls: readonly string[] | string): Promise<boolean> {
    const urls = checkedResultUrls('resultUrls', resultUrls);
    const end = { status: 'completed', progress: 100, resultUrls: urls, errorMessage: null } as const;
    return (await finishSoraClaim(this.#em, checkedClaim(claim), end)).first;
  }

  /** Ends a claimed task as failed, for good; false: this claim had done so before. @throws RuleError SORA_TASK_LOST. */
  async fail(claim: SoraTaskClaim, errorMessage: string): Promise<boolean> {
    const message = checkedMessage(errorMessage);
    const end = { status: 'failed', progress: null, resultUrls: null, errorMessage: message } as const;
    return (await finishSoraClaim(this.#em, checkedClaim(claim), end)).first;
  }

  /** Lets a claimed task be tried again after a pause; the attempt counts. @throws RuleError SORA_TASK_LOST. */
  async retry(claim: SoraTaskClaim, delayMs: number, errorMessage?: string): Promise<void> {
    const given = { delayMs: checkedDelay(delayMs), errorMessage: checkedMessage(errorMessage) };
    await giveBackSoraClaim(this.#em, checkedClaim(claim), { ...given, uncounted: false });
  }

  /** Gives a claimed task back as it was, as a worker does that ends; no attempt counts. @throws RuleError SORA_TASK_LOST. */
  async release(claim: SoraTaskClaim): Promise<void> {
    const given = { delayMs: 0, errorMessage: null, uncounted: true };
    await giveBackSoraClaim(this.#em, checkedClaim(claim), given);
  }

  /** Tasks that are tried no more, by id; go on behind the last one with `afterId`. A limit of 0 or less is 100. */
  async listDeadLetters(
    part: { readonly afterId?: Id | null; readonly limit?: number } = {},
  ): Promise<SoraTaskRecord[]> {
    const { afterId, limit = DEFAULT_LIMIT } = checkGiven('part', part);
    const after = checkOptionalId('afterId', afterId) ?? '0';
    const rows = Math.min(checkInteger('limit', limit), LARGEST_LIMIT);
    return readParkedTasks(this.#em, after, rows > 0 ? rows : DEFAULT_LIMIT);
  }

  /** Lets dead letters be claimed again, with all their attempts; answers how many there were. */
  async requeueDeadLetters(taskIds: readonly string[]): Promise<number> {
    const ids = checkedTaskIds(taskIds);
    return retryStatement(this.#em, () => requeueParkedTasks(this.#em, ids));
  }

  /** Ends dead letters as failed; answers how many there were. */
  async failDeadLetters(taskIds: readonly string[], errorMessage?: string): Promise<number> {
    const [ids, message] = [checkedTaskIds(taskIds), checkedMessage(errorMessage)];
    return retryStatement(this.#em, () => failParkedTasks(this.#em, ids, message));
  }
}

/** An empty message is none. */
function checkedMessage(value: unknown): string | null {
  return value === undefined || value === null ? null : checkPayload('errorMessage', value) || null;
}
