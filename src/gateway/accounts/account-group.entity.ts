import { defineEntity, p } from '@mikro-orm/core';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Group } from '../groups/group.entity.ts';
import { Account } from './account.entity.ts';

const AccountGroupSchema = defineEntity({
  name: 'AccountGroup',
  tableName: 'account_groups',
  properties: {
    account: () => p.manyToOne(Account).primary().deleteRule('cascade').updateRule('no action'),
    group: () => p.manyToOne(Group).primary().deleteRule('cascade').updateRule('no action'),
    priority: p.integer().default(50),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  indexes: [
    { name: 'idx_account_groups_group_id', properties: ['group'] },
    { name: 'idx_account_groups_priority', properties: ['priority'] },
  ],
});

/** The binding of an account to a group that it serves; a smaller priority comes first. Removed physically. */
export class AccountGroup extends AccountGroupSchema.class {}

AccountGroupSchema.setClass(AccountGroup);
softDelete.deadTargets(AccountGroup, { account: 'stub', group: 'stub' });
