import { defineEntity, p } from '@mikro-orm/core';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Group } from '../groups/group.entity.ts';
import { User } from './user.entity.ts';

const UserAllowedGroupSchema = defineEntity({
  name: 'UserAllowedGroup',
  tableName: 'user_allowed_groups',
  properties: {
    user: () => p.manyToOne(User).primary().deleteRule('cascade').updateRule('no action'),
    group: () => p.manyToOne(Group).primary().deleteRule('cascade').updateRule('no action'),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  indexes: [{ name: 'idx_user_allowed_groups_group_id', properties: ['group'] }],
});

/** A group that a user may bind keys to. Join rows are removed physically. */
export class UserAllowedGroup extends UserAllowedGroupSchema.class {}

UserAllowedGroupSchema.setClass(UserAllowedGroup);
softDelete.deadTargets(UserAllowedGroup, { user: 'stub', group: 'stub' });
