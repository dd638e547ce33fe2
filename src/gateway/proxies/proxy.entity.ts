import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';

const ProxySchema = defineEntity({
  name: 'Proxy',
  tableName: 'proxies',
  properties: {
    id: bigintId(),
    name: p.string().length(100),
    protocol: p.string().length(20),
    host: p.string().length(255),
    port: p.integer(),
    username: p.string().length(100).nullable(),
    password: p.string().length(100).nullable().hidden(),
    status: p.string().length(20).default('active'),
    ...timestamps(),
    ...softDelete.properties(),
  },
  indexes: [
    { name: 'idx_proxies_status', properties: ['status'] },
    { name: 'idx_proxies_deleted_at', properties: ['deletedAt'] },
  ],
});

/** A way to a platform. One that live accounts use is not deleted. */
export class Proxy extends ProxySchema.class {}

ProxySchema.setClass(Proxy);
softDelete.register(Proxy, { upsert: 'refuse' });
