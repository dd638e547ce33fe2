import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { User } from '../users/user.entity.ts';
import { UserAttributeDefinition } from './user-attribute-definition.entity.ts';

const UserAttributeValueSchema = defineEntity({
  name: 'UserAttributeValue',
  tableName: 'user_attribute_values',
  properties: {
    id: bigintId(),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    attribute: () => p.manyToOne(UserAttributeDefinition).deleteRule('cascade').updateRule('no action'),
    value: p.text().nullable().default(''),
    ...timestamps(),
  },
  uniques: [
    {
      name: 'user_attribute_values_user_id_attribute_id_key',
      properties: ['user', 'attribute'],
    },
  ],
  indexes: [
    { name: 'idx_user_attribute_values_user_id', properties: ['user'] },
    { name: 'idx_user_attribute_values_attribute_id', properties: ['attribute'] },
  ],
});

/** A user's answer to a definition. Removed physically. */
export class UserAttributeValue extends UserAttributeValueSchema.class {}

UserAttributeValueSchema.setClass(UserAttributeValue);
softDelete.deadTargets(UserAttributeValue, { user: 'null', attribute: 'null' });
