import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';

/** A user's answer to one definition. */
export interface NewAttributeValue {
  readonly attributeId: Id;
  /** May be empty; a `multi_select` has a JSON list in text form. */
  readonly value: string;
}

// Locks before it writes: the user against its deletion, then the definitions by id, FOR SHARE, because a soft delete of one
// changes no key and would pass FOR KEY SHARE. What was deleted while this waited is not found. It writes all or nothing, and
// by attribute, as everyone does who writes several values.
const UPSERT = `with given as (
    select id, value from json_to_recordset(?::json) as given (id bigint, value text)
  ), owner as (
    select id from users where id = ? and deleted_at is null for no key update
  ), defined as (
    select d.id from user_attribute_definitions d
    where exists (select from owner) and d.id in (select id from given) and d.deleted_at is null
    order by d.id for share
  ), written as (
    insert into user_attribute_values (user_id, attribute_id, value)
    select o.id, d.id, g.value from owner o, defined d join given g on g.id = d.id
    where (select count(*) from defined) = (select count(*) from given) order by d.id
    on conflict (user_id, attribute_id) do update set value = excluded.value, updated_at = now()
    returning id
  )
  select exists (select from owner) as owned, (select count(*)::int from written) as written`;

/**
 * Inserts or replaces the values of a user, all or none, in one statement; of two for one attribute the later counts.
 *
 * @throws NotFoundError USER_NOT_FOUND, ATTRIBUTE_DEFINITION_NOT_FOUND; InvalidInputError VALIDATION.
 */
export async function upsertValues(
  em: DataEntityManager,
  userId: Id,
  values: readonly NewAttributeValue[],
): Promise<void> {
  const user = checkId('userId', userId);
  const given = checkedValues(values);
  if (given.length === 0) return;
  const parameters = [JSON.stringify(given), user];
  const [row] = await em.execute<{ owned: boolean; written: number }[]>(UPSERT, parameters);
  if (!row?.owned) throw new NotFoundError('User', gatewayErrors);
  if (row.written !== given.length) throw new NotFoundError('UserAttributeDefinition', gatewayErrors);
}

function checkedValues(values: readonly NewAttributeValue[]): { id: Id; value: string }[] {
  if (!Array.isArray(values)) throw new InvalidInputError('values', 'be a list');
  const byAttribute = new Map<Id, string>();
  for (const given of values as (NewAttributeValue | null | undefined)[]) {
    const id = checkId('attributeId', given?.attributeId);
    byAttribute.set(id, checkText('value', given?.value));
  }
  return [...byAttribute].map(([id, value]) => ({ id, value }));
}
