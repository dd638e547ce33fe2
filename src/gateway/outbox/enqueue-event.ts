import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';

/** Everything that the scheduler understands (specification 4.4). */
export type SchedulerEventType =
  | 'account_changed'
  | 'account_groups_changed'
  | 'account_bulk_changed'
  | 'account_last_used'
  | 'group_changed'
  | 'full_rebuild';

/** An event before it is stored. */
export interface NewSchedulerEvent {
  readonly eventType: SchedulerEventType;
  readonly accountId?: Id;
  readonly groupId?: Id;
  readonly payload?: Readonly<Record<string, unknown>>;
}

const INSERT = 'insert into scheduler_outbox (event_type, account_id, group_id, payload) values (?, ?, ?, ?)';

/**
 * Stores an event in the transaction of the entity manager. Call it in the transaction of the change that it tells of: then
 * there is never one without the other.
 */
export async function enqueueEvent(em: DataEntityManager, event: NewSchedulerEvent): Promise<void> {
  const { eventType, accountId = null, groupId = null, payload } = event;
  const json = payload === undefined ? null : JSON.stringify(payload);
  await em.execute(INSERT, [eventType, accountId, groupId, json], 'run');
}
