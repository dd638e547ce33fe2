import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';

/** One of the values that a select offers. */
export interface AttributeOption {
  readonly value: string;
  readonly label: string;
}

/** What an answer should keep to. The names are those of the stored JSON; a form checks answers by it, the repository does not. */
export interface AttributeValidation {
  readonly min_length?: number;
  readonly max_length?: number;
  readonly min?: number;
  readonly max?: number;
  /** A regular expression in the dialect of whoever checks. */
  readonly pattern?: string;
  /** What to tell whose answer does not match. */
  readonly message?: string;
}

const UserAttributeDefinitionSchema = defineEntity({
  name: 'UserAttributeDefinition',
  tableName: 'user_attribute_definitions',
  properties: {
    id: bigintId(),
    key: p.string().length(100),
    name: p.string().length(255),
    description: p.text().nullable().default(''),
    type: p.string().length(20),
    options: p.json<readonly AttributeOption[]>().nullable().defaultRaw(`'[]'`),
    required: p.boolean().default(false),
    validation: p.json<AttributeValidation>().nullable().defaultRaw(`'{}'`),
    placeholder: p.string().length(255).nullable().default(''),
    displayOrder: p.integer().default(0),
    enabled: p.boolean().default(true),
    ...timestamps(),
    ...softDelete.properties(),
  },
  uniques: [
    {
      name: 'idx_user_attribute_definitions_key_unique',
      properties: ['key'],
      where: { deletedAt: null },
    },
  ],
  indexes: [
    { name: 'idx_user_attribute_definitions_enabled', properties: ['enabled'] },
    { name: 'idx_user_attribute_definitions_display_order', properties: ['displayOrder'] },
    { name: 'idx_user_attribute_definitions_deleted_at', properties: ['deletedAt'] },
  ],
});

/** A question about users that an installation defines. Its key is free again once it is deleted. */
export class UserAttributeDefinition extends UserAttributeDefinitionSchema.class {}

UserAttributeDefinitionSchema.setClass(UserAttributeDefinition);
softDelete.register(UserAttributeDefinition, { upsert: 'beside' });
