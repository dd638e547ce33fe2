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
  },
  indexes: [{ name: 'idx_scheduler_outbox_created_at', properties: ['createdAt'] }],
});

/** A change that the scheduler must hear of. Its ids are no references: an event outlives the row that it names. */
export class SchedulerEvent extends SchedulerEventSchema.class {}

SchedulerEventSchema.setClass(SchedulerEvent);
