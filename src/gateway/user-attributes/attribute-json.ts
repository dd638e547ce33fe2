import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkInteger, checkText, isPlainObject } from '../../kit/input/index.ts';
import type { AttributeOption, AttributeValidation } from './user-attribute-definition.entity.ts';

const VALIDATION: Readonly<Record<keyof AttributeValidation, (field: string, value: unknown) => unknown>> = {
  min_length: (field, value) => checkInteger(field, value, 0),
  max_length: (field, value) => checkInteger(field, value, 0),
  min: checkFinite,
  max: checkFinite,
  pattern: (field, value) => checkText(field, value),
  message: (field, value) => checkText(field, value),
};

/** @throws InvalidInputError for anything but a list of `{ value, label }`. */
export function checkedOptions(options: unknown): AttributeOption[] {
  if (!Array.isArray(options)) throw optionsError();
  return options.map((option: unknown) => {
    if (!isPlainObject(option) || Object.keys(option).toSorted().join() !== 'label,value')
      throw optionsError();
    return {
      value: checkText('options.value', option['value']),
      label: checkText('options.label', option['label']),
    };
  });
}

/** @throws InvalidInputError for a key that is none of the known ones, or a value of another type than its key has. */
export function checkedValidation(validation: unknown): AttributeValidation {
  if (!isPlainObject(validation)) throw new InvalidInputError('validation', 'be an object');
  const checked: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(validation)) {
    if (!Object.hasOwn(VALIDATION, key))
      throw new InvalidInputError(
        'validation',
        `have no other keys than ${Object.keys(VALIDATION).join(', ')}`,
      );
    if (value !== undefined)
      checked[key] = VALIDATION[key as keyof AttributeValidation](`validation.${key}`, value);
  }
  return checked;
}

/** JSON has no NaN and no Infinity; they would be stored as null. */
function checkFinite(field: string, value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw new InvalidInputError(field, 'be a finite number');
}

function optionsError(): InvalidInputError {
  return new InvalidInputError('options', 'be a list of objects with value and label');
}
