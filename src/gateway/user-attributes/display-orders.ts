import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkInteger } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';

// Locked by id before any is written, so that two that reorder the same definitions do not deadlock, and that one which was
// deleted while this waited counts as missing.
const WRITE = `with given as (
    select id, display_order from json_to_recordset(?::json) as given (id bigint, display_order integer)
  ), locked as (
    select d.id from user_attribute_definitions d
    where d.id in (select id from given) and d.deleted_at is null order by d.id for no key update
  ), changed as (
    update user_attribute_definitions d set display_order = g.display_order, updated_at = now()
    from locked l join given g on g.id = l.id
    where d.id = l.id and d.deleted_at is null
      and (select count(*) from locked) = (select count(*) from given)
    returning d.id
  )
  select (select count(*)::int from changed) as changed`;

/** All orders or none, in one statement. @throws NotFoundError ATTRIBUTE_DEFINITION_NOT_FOUND; InvalidInputError VALIDATION. */
export async function writeDisplayOrders(
  em: DataEntityManager,
  orders: ReadonlyMap<Id, number>,
): Promise<void> {
  if (!(orders instanceof Map)) throw new InvalidInputError('orders', 'be a Map from ids to display orders');
  const given = [...orders].map(([id, order]: [unknown, unknown]) => ({
    id: checkId('id', id),
    display_order: checkInteger('displayOrder', order),
  }));
  if (given.length === 0) return;
  const [row] = await em.execute<{ changed: number }[]>(WRITE, [JSON.stringify(given)]);
  if (row?.changed !== given.length) throw new NotFoundError('UserAttributeDefinition', gatewayErrors);
}
