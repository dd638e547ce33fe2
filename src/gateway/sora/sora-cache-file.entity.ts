import { defineEntity, p } from '@mikro-orm/core';
import { bigintId } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Account } from '../accounts/account.entity.ts';
import { User } from '../users/user.entity.ts';

const SoraCacheFileSchema = defineEntity({
  name: 'SoraCacheFile',
  tableName: 'sora_cache_files',
  properties: {
    id: bigintId(),
    /** No reference: a file may be older or younger than its task. */
    taskId: p.text().nullable(),
    account: () => p.manyToOne(Account).deleteRule('cascade').updateRule('no action'),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    mediaType: p.text(),
    originalUrl: p.text(),
    cachePath: p.text(),
    cacheUrl: p.text(),
    sizeBytes: p.bigint('string').defaultRaw('0'),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  indexes: [
    { name: 'idx_sora_cache_files_account_id', properties: ['account'] },
    { name: 'idx_sora_cache_files_user_id', properties: ['user'] },
    { name: 'idx_sora_cache_files_media_type', properties: ['mediaType'] },
    { name: 'idx_sora_cache_files_created_at', properties: ['createdAt', 'id'] },
  ],
});

/** A picture or a video that lies on a disk of ours. */
export class SoraCacheFile extends SoraCacheFileSchema.class {}

SoraCacheFileSchema.setClass(SoraCacheFile);
softDelete.deadTargets(SoraCacheFile, { account: 'null', user: 'null' });
