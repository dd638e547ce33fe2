import { InvalidInputError } from '../../kit/errors/index.ts';
import { checkJsonObject, checkText } from '../../kit/input/index.ts';
import type { JsonChange } from './account-record.ts';

/** A piece of SQL with its values. */
export interface JsonAssignment {
  readonly column: string;
  readonly expression: string;
  readonly values: readonly unknown[];
}

// What is stored may be no object, and then `||` would make a list of both.
const asObject = (json: string): string =>
  `(case when jsonb_typeof(${json}) = 'object' then ${json} else '{}'::jsonb end)`;

/**
 * The merges of the two JSON columns, which happen in the database; none for a column without a change.
 *
 * @throws InvalidInputError (code VALIDATION).
 */
export function jsonAssignments(change: JsonChange): JsonAssignment[] {
  return [
    ...merge('credentials', change.credentials, 'removeCredentials', change.removeCredentials),
    ...merge('extra', change.extra, 'removeExtra', change.removeExtra),
  ];
}

function merge(
  column: 'credentials' | 'extra',
  patch: unknown,
  removeField: string,
  remove: unknown,
): JsonAssignment[] {
  const added = patch === undefined ? {} : checkJsonObject(column, patch);
  const removed = remove === undefined ? [] : checkedKeys(removeField, remove);
  if (Object.keys(added).length === 0 && removed.length === 0) return [];
  const expression = `(${asObject(column)} - array(select jsonb_array_elements_text(?::jsonb))) || ?::jsonb`;
  return [{ column, expression, values: [JSON.stringify(removed), JSON.stringify(added)] }];
}

function checkedKeys(field: string, keys: unknown): string[] {
  if (!Array.isArray(keys)) throw new InvalidInputError(field, 'be a list of keys');
  return keys.map((key) => checkText(field, key));
}

const RFC_3339 = `'YYYY-MM-DD"T"HH24:MI:SS"Z"'`;

/**
 * Sets `extra.<parent>.<scope>` to the limit that begins now and ends at the reset. jsonb_set makes only the last element of
 * a path, so the parent is made here; the path is a list of parameters, because in a text a comma of the scope would split it.
 */
export function scopeLimit(parent: string, scope: string, resetAt: string): JsonAssignment {
  const expression = `jsonb_set(
    jsonb_set(${asObject('extra')}, array[?::text], ${asObject('(extra -> ?::text)')}),
    array[?::text, ?::text],
    jsonb_build_object(
      'rate_limited_at', to_char(now() at time zone 'utc', ${RFC_3339}),
      'rate_limit_reset_at', to_char(?::timestamptz at time zone 'utc', ${RFC_3339})))`;
  return {
    column: 'extra',
    expression,
    values: [parent, parent, parent, parent, scope, resetAt],
  };
}
