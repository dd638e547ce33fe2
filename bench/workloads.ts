import { QueryOrder } from '@mikro-orm/core';
import type { Pool } from 'pg';
import type { DataEntityManager } from '../src/index.ts';
import { ApiKey, User } from '../src/gateway/index.ts';
import { liveNumber, SIZE } from './data.ts';
import type { Workload } from './measure.ts';

const BY_ID = { name: 'bench_user', text: 'select * from users where id = $1 and deleted_at is null' };
const PAGE = {
  name: 'bench_page',
  text: `select k.*, to_jsonb(u.*) as user, to_jsonb(g.*) as "group"
    from (select * from api_keys where deleted_at is null order by id desc limit 50 offset $1) k
    left join users u on u.id = k.user_id and u.deleted_at is null
    left join groups g on g.id = k.group_id and g.deleted_at is null
    order by k.id desc`,
};
const TOTAL = { name: 'bench_total', text: 'select count(*) from api_keys where deleted_at is null' };

const userId = (index: number): string => String(liveNumber(index, SIZE.users));
const offset = (index: number): number => (index % 20) * 50;

/** The workloads; each variant returns the same rows, which `verify.ts` checks before anything is timed. */
export function workloads(pool: Pool, root: DataEntityManager): Workload[] {
  return [
    {
      name: 'find-by-id',
      variants: [
        {
          name: 'pg, named statement',
          run: async (i) => (await pool.query({ ...BY_ID, values: [userId(i)] })).rows[0],
        },
        { name: 'em.findOne', run: (i) => root.fork().findOne(User, userId(i)) },
      ],
    },
    {
      name: 'page-of-50',
      variants: [
        {
          name: 'pg, named statements',
          run: async (i) => {
            const { rows } = await pool.query({ ...PAGE, values: [offset(i)] });
            return [rows, Number((await pool.query<{ count: string }>(TOTAL)).rows[0]?.count)];
          },
        },
        {
          name: 'em.findAndCount, populate',
          run: (i) =>
            root.fork().findAndCount(
              ApiKey,
              {},
              {
                populate: ['user', 'group'],
                orderBy: { id: QueryOrder.DESC },
                limit: 50,
                offset: offset(i),
              },
            ),
        },
      ],
    },
  ];
}
