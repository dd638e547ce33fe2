import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkId, checkInteger, checkText } from '../../kit/input/index.ts';
import { checkPayload } from './payload.ts';
import type { NewSoraTask, SoraTaskClaim } from './sora-task-record.ts';

const NAME = { max: 120, filled: true } as const;
const DAY = 24 * 60 * 60 * 1000;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** @throws InvalidInputError (code VALIDATION), as all of these. */
export function checkedTask(task: NewSoraTask): unknown[] {
  if (task === null || typeof task !== 'object') throw new InvalidInputError('task', 'be given');
  return [
    checkId('accountId', task.accountId),
    checkText('taskId', task.taskId, NAME),
    checkText('model', task.model, NAME),
    checkPayload('prompt', task.prompt),
    task.progress === undefined ? 0 : checkedProgress(task.progress),
  ];
}

/** A number from 0 to 100; whether it is a share or per cent, the platform says. */
export function checkedProgress(value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= 100) return value;
  throw new InvalidInputError('progress', 'be a number from 0 to 100');
}

/** A list of at most 10,000 names of tasks, each once. */
export function checkedTaskIds(values: unknown): string[] {
  if (!Array.isArray(values) || values.length > 10_000)
    throw new InvalidInputError('taskIds', 'be a list of at most 10,000 task ids');
  return [...new Set(values.map((value) => checkText('taskIds', value, NAME)))];
}

export function checkedClaim(claim: SoraTaskClaim): SoraTaskClaim {
  if (claim === null || typeof claim !== 'object')
    throw new InvalidInputError('claim', 'be a task that was claimed');
  const claimId: unknown = claim.claimId;
  if (typeof claimId !== 'string' || !UUID.test(claimId))
    throw new InvalidInputError('claimId', 'be the claimId of a task that was claimed');
  return { taskId: checkText('taskId', claim.taskId, NAME), claimId };
}

/** How long a lease is, in milliseconds: at most a day. */
export const checkedLease = (value: unknown): number => checkInteger('leaseMs', value, 1, DAY);
/** A pause may be none. */
export const checkedDelay = (value: unknown): number => checkInteger('delayMs', value, 0, DAY);
/** Who claims, as people call it. */
export const checkedHolder = (field: string, value: unknown): string =>
  checkText(field, value, { max: 100, filled: true });
