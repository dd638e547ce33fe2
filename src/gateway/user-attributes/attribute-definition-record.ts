import type { Id } from '../../kit/columns/index.ts';
import type {
  AttributeOption,
  AttributeValidation,
  UserAttributeDefinition,
} from './user-attribute-definition.entity.ts';

/** What kind of answer a definition asks for. */
export type AttributeType =
  'text' | 'textarea' | 'number' | 'email' | 'url' | 'date' | 'select' | 'multi_select';

/** A definition as the repository answers; a column without a value reads as its default. */
export interface UserAttributeDefinitionRecord {
  readonly id: Id;
  readonly key: string;
  readonly name: string;
  readonly description: string;
  /** One of {@link AttributeType}, unless something else wrote the row. */
  readonly type: string;
  readonly options: readonly AttributeOption[];
  readonly required: boolean;
  readonly validation: AttributeValidation;
  readonly placeholder: string;
  readonly displayOrder: number;
  readonly enabled: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

interface Writable {
  readonly name: string;
  readonly type: AttributeType;
  readonly description: string | null;
  readonly options: readonly AttributeOption[] | null;
  readonly required: boolean;
  readonly validation: AttributeValidation | null;
  readonly placeholder: string | null;
  readonly displayOrder: number;
  readonly enabled: boolean;
}

/** What a new definition needs; what is left out has the column's default. */
export type NewUserAttributeDefinition = { readonly key: string } & Pick<Writable, 'name' | 'type'> &
  Partial<Writable>;

/** What is left out stays; null clears. The key never changes: programs find their attribute by it. */
export type UserAttributeDefinitionChange = { readonly id: Id; readonly key?: never } & Partial<Writable>;

export function definitionRecord(definition: UserAttributeDefinition): UserAttributeDefinitionRecord {
  const { id, key, name, type, required, displayOrder, enabled, createdAt, updatedAt } = definition;
  return {
    id,
    key,
    name,
    type,
    required,
    displayOrder,
    enabled,
    createdAt,
    updatedAt,
    description: definition.description ?? '',
    options: definition.options ?? [],
    validation: definition.validation ?? {},
    placeholder: definition.placeholder ?? '',
  };
}
