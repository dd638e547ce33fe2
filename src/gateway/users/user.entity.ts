import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';

const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: bigintId(),
    email: p.string().length(255),
    passwordHash: p.string().length(255).hidden(),
    role: p.string().length(20).default('user'),
    balance: money(22, 10).default('0'),
    concurrency: p.integer().default(5),
    status: p.string().length(20).default('active'),
    username: p.string().length(100).default(''),
    notes: p.text().default(''),
    ...timestamps(),
    ...softDelete.properties(),
  },
  uniques: [{ name: 'users_email_unique_active', properties: ['email'], where: { deletedAt: null } }],
  indexes: [
    { name: 'idx_users_status', properties: ['status'] },
    { name: 'idx_users_deleted_at', properties: ['deletedAt'] },
  ],
});

/** A person with a balance. Its e-mail is free again once it is deleted. */
export class User extends UserSchema.class {}

UserSchema.setClass(User);
softDelete.register(User, { upsert: 'beside' });
