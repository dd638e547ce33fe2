import { defineEntity, p } from '@mikro-orm/core';
import { bigintId } from '../../kit/columns/index.ts';

const SchedulerEventSchema = defineEntity({
  name: 'SchedulerEvent',
  tableName: 'scheduler_outbox',
  properties: {
    id: bigintId(),
    eventType: p.text(),
    accountId: p.bigint('string').nullable(),
    groupId: p.bigint('string').nullable(),
    payload: p.json<Record<string, unknown>>().nullable(),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
    /** The transaction that wrote the event; 0 for one that is older than the column. */
    txid: p.string().columnType('xid8').defaultRaw('pg_current_xact_id()'),
  },
  indexes: [
    { name: 'idx_scheduler_outbox_created_at', properties: ['createdAt'] },
    { name: 'idx_scheduler_outbox_txid_id', properties: ['txid', 'id'] },
  ],
});

/** A change that the scheduler must hear of. Its ids are no references: an event outlives the row that it names. */
export class SchedulerEvent extends SchedulerEventSchema.class {}

SchedulerEventSchema.setClass(SchedulerEvent);
