import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';

// All who write several values lock them by attribute and then by user, so none waits for another in a circle.
const OF_ATTRIBUTE = `delete from user_attribute_values where id in (
    select id from user_attribute_values where attribute_id = ? order by attribute_id, user_id for update)`;
const OF_USER = `delete from user_attribute_values where id in (
    select id from user_attribute_values where user_id = ? order by attribute_id, user_id for update)`;

/** Removes every user's value of an attribute; answers how many there were. */
export async function removeValuesOfAttribute(em: DataEntityManager, attributeId: Id): Promise<number> {
  return remove(em, OF_ATTRIBUTE, attributeId);
}

/** Removes every value of a user; answers how many there were. */
export async function removeValuesOfUser(em: DataEntityManager, userId: Id): Promise<number> {
  return remove(em, OF_USER, userId);
}

async function remove(em: DataEntityManager, sql: string, id: Id): Promise<number> {
  const { affectedRows } = await em.execute<{ affectedRows: number }>(sql, [id], 'run');
  return affectedRows;
}
