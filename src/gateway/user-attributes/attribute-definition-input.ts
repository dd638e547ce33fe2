import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkInteger, checkText } from '../../kit/input/index.ts';
import type {
  AttributeType,
  NewUserAttributeDefinition,
  UserAttributeDefinitionChange,
} from './attribute-definition-record.ts';
import { checkedOptions, checkedValidation } from './attribute-json.ts';

const KEY = { max: 100, filled: true } as const;
const NULLABLE = { description: {}, placeholder: { max: 255 } } as const;
const FLAGS = ['required', 'enabled'] as const;
const TYPES: readonly AttributeType[] = [
  'text',
  'textarea',
  'number',
  'email',
  'url',
  'date',
  'select',
  'multi_select',
];

type Input = Partial<NewUserAttributeDefinition> | UserAttributeDefinitionChange;

/** @throws InvalidInputError (code VALIDATION), also for a definition without key, name or type. */
export function checkedNewDefinition(input: NewUserAttributeDefinition): Record<string, unknown> {
  const columns = checkedColumns(input);
  for (const name of ['name', 'type']) {
    if (columns[name] === undefined) throw new InvalidInputError(name, 'be given');
  }
  return { ...columns, key: checkText('key', input.key, KEY) };
}

/** @throws InvalidInputError (code VALIDATION), also for a key: it names the attribute for ever. */
export function checkedChange(input: UserAttributeDefinitionChange): Record<string, unknown> {
  const columns = checkedColumns(input);
  if (input.key !== undefined) throw new InvalidInputError('key', 'be left out, because it never changes');
  return columns;
}

function checkedColumns(input: Input): Record<string, unknown> {
  if (input === null || input === undefined) throw new InvalidInputError('definition', 'be given');
  const columns = texts(input);
  for (const name of FLAGS) {
    const value: unknown = input[name];
    if (value === undefined) continue;
    if (typeof value !== 'boolean') throw new InvalidInputError(name, 'be true or false');
    columns[name] = value;
  }
  const { options, validation, displayOrder } = input;
  if (displayOrder !== undefined) columns['displayOrder'] = checkInteger('displayOrder', displayOrder);
  if (options !== undefined) columns['options'] = options === null ? null : checkedOptions(options);
  if (validation !== undefined)
    columns['validation'] = validation === null ? null : checkedValidation(validation);
  return columns;
}

function texts(input: Input): Record<string, unknown> {
  const columns: Record<string, unknown> = {};
  if (input.name !== undefined) columns['name'] = checkText('name', input.name, { max: 255, filled: true });
  if (input.type !== undefined) columns['type'] = checkedType(input.type);
  for (const [name, rule] of Object.entries(NULLABLE)) {
    const value = input[name as keyof typeof NULLABLE];
    if (value !== undefined) columns[name] = value === null ? null : checkText(name, value, rule);
  }
  return columns;
}

function checkedType(type: unknown): AttributeType {
  const known = TYPES.find((name) => name === type);
  if (known) return known;
  throw new InvalidInputError('type', `be one of ${TYPES.join(', ')}`);
}
