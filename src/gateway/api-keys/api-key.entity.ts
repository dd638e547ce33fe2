import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Group } from '../groups/group.entity.ts';
import { User } from '../users/user.entity.ts';

const ApiKeySchema = defineEntity({
  name: 'ApiKey',
  tableName: 'api_keys',
  properties: {
    id: bigintId(),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    key: p.string().length(128).hidden(),
    name: p.string().length(100),
    group: () => p.manyToOne(Group).nullable().deleteRule('set null').updateRule('no action'),
    status: p.string().length(20).default('active'),
    ipWhitelist: p.json<string[]>().nullable(),
    ipBlacklist: p.json<string[]>().nullable(),
    ...timestamps(),
    ...softDelete.properties(),
  },
  uniques: [{ name: 'api_keys_key_key', properties: ['key'] }],
  indexes: [
    { name: 'idx_api_keys_user_id', properties: ['user'] },
    { name: 'idx_api_keys_group_id', properties: ['group'] },
    { name: 'idx_api_keys_status', properties: ['status'] },
    { name: 'idx_api_keys_deleted_at', properties: ['deletedAt'] },
  ],
});

/** A secret that a program presents. Its value is never used again, not even after deletion. */
export class ApiKey extends ApiKeySchema.class {}

ApiKeySchema.setClass(ApiKey);
softDelete.register(ApiKey, { upsert: 'refuse' });
// The specification keeps a key whose user is deleted, and answers that it has no user.
softDelete.deadTargets(ApiKey, { user: 'null', group: 'null' });
