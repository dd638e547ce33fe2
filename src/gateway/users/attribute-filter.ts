import { raw } from '@mikro-orm/core';
import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import { live } from '../../kit/orm/index.ts';
import { containsPattern } from '../../kit/queries/index.ts';
import { UserAttributeDefinition } from '../user-attributes/user-attribute-definition.entity.ts';

/**
 * Conditions on a user: for each attribute of the map, its value holds the text, in any case. An empty text is no condition.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function attributeConditions(attributes: ReadonlyMap<Id, string> | undefined): object[] {
  if (attributes === undefined) return [];
  // `instanceof` would refuse a map of another realm, and an object has no ids but keys.
  if (Object.prototype.toString.call(attributes) !== '[object Map]') {
    throw new InvalidInputError('attributes', 'be a Map from attribute ids to texts');
  }
  return [...attributes].flatMap(([key, value]) => {
    const id = checkId('attributes', key);
    const text = checkText('attributes', value);
    return text === '' ? [] : [valueContains(id, text)];
  });
}

function valueContains(attributeId: Id, text: string): object {
  const condition = raw(
    (alias) => `exists (
      select from user_attribute_values v join user_attribute_definitions d on d.id = v.attribute_id
      where v.user_id = ${alias}.id and v.attribute_id = ? and v.value ilike ? and ??)`,
    [attributeId, containsPattern(text), live(UserAttributeDefinition, 'd')],
  );
  return { [condition as unknown as string]: [] };
}
