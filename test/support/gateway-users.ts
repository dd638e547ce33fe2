import type { DataEntityManager } from 'tombstone';
import type { Gateway } from './gateway.ts';

let counter = 0;

/** The id of an attribute's definition that was written by hand. */
export async function insertAttribute(em: DataEntityManager): Promise<string> {
  const key = `attribute ${(counter += 1)}`;
  const sql = `insert into user_attribute_definitions (key, name, type) values (?, ?, 'text') returning id`;
  const [row] = await em.execute<{ id: string }[]>(sql, [key, key]);
  return row?.id ?? '';
}

/** A user's value of an attribute, written by hand; null as old rows have it. */
export async function insertAttributeValue(
  em: DataEntityManager,
  userId: string,
  attributeId: string,
  value: string | null,
): Promise<void> {
  const sql = 'insert into user_attribute_values (user_id, attribute_id, value) values (?, ?, ?)';
  await em.execute(sql, [userId, attributeId, value], 'run');
}

/** Until as many sessions of the database as given wait for a lock. */
export async function untilBlocked(gateway: Gateway, sessions = 1): Promise<void> {
  const sql = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await gateway.rows(sql)).length < sessions) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** What became of an attempt: "done", or the code of its error. */
export async function codeOf(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
}

/** The id of a group that was written by hand, for a database of which the newer tables are missing. */
export async function insertGroup(em: DataEntityManager): Promise<string> {
  const sql = 'insert into groups (name) values (?) returning id';
  const [row] = await em.execute<{ id: string }[]>(sql, [`group by hand ${(counter += 1)}`]);
  return row?.id ?? '';
}
