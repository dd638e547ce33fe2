import { defineEntity, p } from '@mikro-orm/core';
import { bigintId } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Account } from '../accounts/account.entity.ts';

const instant = () => p.datetime().columnType('timestamptz');

const SoraTaskSchema = defineEntity({
  name: 'SoraTask',
  tableName: 'sora_tasks',
  properties: {
    id: bigintId(),
    taskId: p.text(),
    account: () => p.manyToOne(Account).deleteRule('cascade').updateRule('no action'),
    model: p.text(),
    prompt: p.text(),
    status: p.text().default('processing'),
    progress: p.double().default(0),
    resultUrls: p.text().nullable(),
    errorMessage: p.text().nullable(),
    retryCount: p.integer().default(0),
    createdAt: instant().defaultRaw('now()'),
    completedAt: instant().nullable(),
    /** Until then nobody may claim it: the end of a lease, or of a pause between two attempts. */
    availableAt: instant().defaultRaw('now()'),
    claimId: p.uuid().nullable(),
    claimedBy: p.text().nullable(),
    attempts: p.integer().default(0),
    parkedAt: instant().nullable(),
    parkedReason: p.text().nullable(),
  },
  uniques: [{ name: 'sora_tasks_task_id_key', properties: ['taskId'] }],
  indexes: [
    { name: 'idx_sora_tasks_account_id', properties: ['account'] },
    { name: 'idx_sora_tasks_status', properties: ['status'] },
    {
      name: 'idx_sora_tasks_claimable',
      properties: ['availableAt', 'id'],
      where: { status: 'processing', parkedAt: null },
    },
    { name: 'idx_sora_tasks_parked', properties: ['id'], where: { parkedAt: { $ne: null } } },
  ],
});

/** A picture or a video that was ordered. It is processing until it is completed or has failed, and never again. */
export class SoraTask extends SoraTaskSchema.class {}

SoraTaskSchema.setClass(SoraTask);
softDelete.deadTargets(SoraTask, { account: 'null' });
