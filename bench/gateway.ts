import type { Pool } from 'pg';
import { gatewayRepositories } from '../src/gateway/index.ts';
import type { DataEntityManager } from '../src/index.ts';
import { liveNumber, SIZE } from './data.ts';
import {
  BY_KEY,
  KEYS_OF_GROUP,
  SETS,
  SUBSCRIPTIONS,
  USERS,
  USERS_AND_TOTAL,
  USERS_TOTAL,
} from './gateway-statements.ts';
import type { Workload } from './measure.ts';

/** How many call at once in the workloads for several callers; each pool has a connection for every one of them. */
export const CALLERS = 32;

const key = (index: number): string => `sk-bench-${liveNumber(index, SIZE.apiKeys)}`;
const group = (index: number): string => String(liveNumber(index, SIZE.groups));
const pageNumber = (index: number): number => 1 + (index % 4);
// About one of twenty users.
const search = (index: number): string => `user${10 + ((index * 7) % 90)}`;

type Row = Record<string, unknown>;

/** The hot reads of the gateway, by one caller and by many, next to the same SQL on \`pg\`. */
export function gatewayWorkloads(pool: Pool, root: DataEntityManager): Workload[] {
  const single = [authentication(pool, root), keysOfGroup(pool, root), users(pool, root)];
  const many = single.map((workload) => ({
    ...workload,
    name: `${workload.name}-by-${CALLERS}`,
    callers: CALLERS,
  }));
  return [...single, ...many];
}

function authentication(pool: Pool, root: DataEntityManager): Workload {
  return {
    name: 'api-key-lookup',
    variants: [
      {
        name: 'pg, named statement',
        run: async (i) => (await pool.query<Row>({ ...BY_KEY, values: [key(i)] })).rows[0],
      },
      {
        name: 'tombstone repository',
        run: (i) => gatewayRepositories(root).apiKeys.getByKeyForAuth(key(i)),
      },
    ],
  };
}

function keysOfGroup(pool: Pool, root: DataEntityManager): Workload {
  return {
    name: 'keys-of-group-50',
    variants: [
      {
        name: 'pg, named statement',
        run: async (i) => {
          const values = [group(i), (pageNumber(i) - 1) * 50];
          const { rows } = await pool.query<Row>({ ...KEYS_OF_GROUP, values });
          return [rows, Number(rows[0]?.['total'])];
        },
      },
      {
        name: 'tombstone repository',
        run: async (i) => {
          const request = { page: pageNumber(i), pageSize: 50 };
          const { items, total } = await gatewayRepositories(root).apiKeys.listByGroupId(group(i), request);
          return [items, total];
        },
      },
    ],
  };
}

function users(pool: Pool, root: DataEntityManager): Workload {
  return {
    name: 'users-filtered-50',
    share: 0.5,
    variants: [
      { name: 'pg, named statements', run: (i) => usersByHand(pool, search(i)) },
      { name: 'pg, page and total at once', run: (i) => usersAtOnce(pool, search(i)) },
      {
        name: 'tombstone repository',
        run: async (i) => {
          const filters = { status: 'active', search: search(i) };
          const { items, total } = await gatewayRepositories(root).users.listWithFilters(
            { pageSize: 50 },
            filters,
          );
          return [items, total];
        },
      },
    ],
  };
}

/** Page, total, sets and subscriptions; each statement waits for the one before, as on one connection. */
async function usersByHand(pool: Pool, text: string): Promise<unknown> {
  const filter = ['active', `%${text}%`];
  const { rows } = await pool.query<Row>({ ...USERS, values: [...filter, 0] });
  const total = await pool.query<{ count: string }>({ ...USERS_TOTAL, values: filter });
  return [await withChildren(pool, rows), Number(total.rows[0]?.count)];
}

async function usersAtOnce(pool: Pool, text: string): Promise<unknown> {
  const { rows } = await pool.query<Row>({ ...USERS_AND_TOTAL, values: ['active', `%${text}%`, 0] });
  return [await withChildren(pool, rows), Number(rows[0]?.['total'])];
}

async function withChildren(pool: Pool, rows: Row[]): Promise<Row[]> {
  const ids = rows.map((row) => row['id']);
  const sets = await pool.query<Row>({ ...SETS, values: [ids] });
  const subscriptions = await pool.query<Row>({ ...SUBSCRIPTIONS, values: [ids] });
  for (const row of rows) Object.assign(row, { sets: [], subscriptions: [] });
  const byId = new Map(rows.map((row) => [row['id'], row as { sets: unknown[]; subscriptions: unknown[] }]));
  for (const set of sets.rows) byId.get(set['user_id'])?.sets.push(set['group_id']);
  for (const row of subscriptions.rows) byId.get(row['user_id'])?.subscriptions.push(row);
  return rows;
}
