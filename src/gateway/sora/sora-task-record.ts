import { type StoredInstant, storedInstant, storedInstantOrNull } from '../../kit/orm/index.ts';
import type { Id } from '../../kit/columns/index.ts';
import { storedResultUrls } from './payload.ts';

export const SORA_TASK_STATUSES = ['processing', 'completed', 'failed'] as const;
export type SoraTaskStatus = (typeof SORA_TASK_STATUSES)[number];

/** Why a task is a dead letter. */
export type ParkedReason = 'attempts' | 'account deleted';

/** A task as the repository answers. */
export interface SoraTaskRecord {
  readonly id: Id;
  /** The platform's name of it. */
  readonly taskId: string;
  readonly accountId: Id;
  readonly model: string;
  readonly prompt: string;
  readonly status: string;
  readonly progress: number;
  readonly resultUrls: readonly string[];
  readonly errorMessage: string | null;
  /** How often it was claimed again in all, also before it was put back; not where it was given back as it was. */
  readonly retryCount: number;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
  /** Until then nobody may claim it. */
  readonly availableAt: Date;
  readonly claimedBy: string | null;
  readonly attempts: number;
  readonly parkedAt: Date | null;
  readonly parkedReason: ParkedReason | null;
}

/** What a new task needs; it is processing, and may be claimed at once. */
export interface NewSoraTask {
  /** At most 120 characters. */
  readonly taskId: string;
  readonly accountId: Id;
  /** At most 120 characters. */
  readonly model: string;
  readonly prompt: string;
  readonly progress?: number;
}

/** A worker's right to a task, until its lease ends and somebody else claims it. */
export interface SoraTaskClaim {
  readonly taskId: string;
  readonly claimId: string;
}

export type ClaimedSoraTask = SoraTaskRecord & SoraTaskClaim;

/** A row of a statement that selects {@link soraTaskColumns}. */
export type SoraTaskRow = Omit<
  SoraTaskRecord,
  'resultUrls' | 'createdAt' | 'completedAt' | 'availableAt' | 'parkedAt'
> & {
  readonly resultUrls: string | null;
  readonly createdAt: StoredInstant;
  readonly completedAt: StoredInstant | null;
  readonly availableAt: StoredInstant;
  readonly parkedAt: StoredInstant | null;
};

/** The columns of a table called `t`, by the names of the record. */
export const SORA_TASK_COLUMNS = `t.id, t.task_id as "taskId", t.account_id as "accountId", t.model, t.prompt, t.status,
  coalesce(t.progress, 0) as progress, t.result_urls as "resultUrls", t.error_message as "errorMessage",
  coalesce(t.retry_count, 0) as "retryCount", t.created_at as "createdAt", t.completed_at as "completedAt",
  t.available_at as "availableAt", t.claimed_by as "claimedBy", t.attempts, t.parked_at as "parkedAt",
  t.parked_reason as "parkedReason"`;

export function soraTaskRecord(row: SoraTaskRow): SoraTaskRecord {
  return {
    ...row,
    resultUrls: storedResultUrls(row.resultUrls),
    createdAt: storedInstant(row.createdAt),
    completedAt: storedInstantOrNull(row.completedAt),
    availableAt: storedInstant(row.availableAt),
    parkedAt: storedInstantOrNull(row.parkedAt),
  };
}
