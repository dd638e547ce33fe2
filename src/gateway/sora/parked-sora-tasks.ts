import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import {
  SORA_TASK_COLUMNS,
  soraTaskRecord,
  type SoraTaskRecord,
  type SoraTaskRow,
} from './sora-task-record.ts';

// A program of the original knows nothing of a dead letter, and may finish it: then it is none any more, and keeps its end.
const isParked = (table: string): string =>
  `${table}.parked_at is not null and ${table}.status = 'processing'`;

const LIST = `select ${SORA_TASK_COLUMNS} from sora_tasks t
  where ${isParked('t')} and t.id > ?::bigint order by t.id limit ?`;

// By id, as everyone who changes several: two that put back the same tasks wait for each other, and never in a circle.
const LOCKED = `locked as (
    select p.id from sora_tasks p where p.task_id = any (?::text[]) and ${isParked('p')} order by p.id for update
  )`;

// The next claim is the first one of its attempts, and not of the task: it is counted here as one that is repeated.
const REQUEUE = `with ${LOCKED}
  update sora_tasks t set parked_at = null, parked_reason = null, attempts = 0, available_at = statement_timestamp(),
    retry_count = coalesce(t.retry_count, 0) + case when t.attempts > 0 then 1 else 0 end
  from locked l where t.id = l.id and ${isParked('t')}`;

const FAIL = `with ${LOCKED}
  update sora_tasks t set parked_at = null, parked_reason = null, status = 'failed', completed_at = statement_timestamp(),
    error_message = coalesce(?, t.error_message)
  from locked l where t.id = l.id and ${isParked('t')}`;

/** Parked tasks behind an id, by id. */
export async function readParkedTasks(
  em: DataEntityManager,
  afterId: Id,
  limit: number,
): Promise<SoraTaskRecord[]> {
  return (await em.execute<SoraTaskRow[]>(LIST, [afterId, limit])).map(soraTaskRecord);
}

/** Lets parked tasks be claimed again, with all their attempts; answers how many there were. */
export async function requeueParkedTasks(em: DataEntityManager, taskIds: readonly string[]): Promise<number> {
  return affected(em, REQUEUE, [asArray(taskIds)]);
}

/** Ends parked tasks as failed; answers how many there were. */
export async function failParkedTasks(
  em: DataEntityManager,
  taskIds: readonly string[],
  errorMessage: string | null,
): Promise<number> {
  return affected(em, FAIL, [asArray(taskIds), errorMessage]);
}

async function affected(em: DataEntityManager, sql: string, values: unknown[]): Promise<number> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(sql, values, 'run');
  return affectedRows;
}

/** The text of an array, in which every element is quoted. */
function asArray(texts: readonly string[]): string {
  return `{${texts.map((text) => `"${text.replace(/["\\]/g, String.raw`\$&`)}"`).join(',')}}`;
}
