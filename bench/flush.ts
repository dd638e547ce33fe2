import type { MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { Pool } from 'pg';
import { User } from '../src/gateway/index.ts';
import { liveNumber, SIZE } from './data.ts';
import type { Variant, Workload } from './measure.ts';

const COUNT = 200;

const LOAD = {
  name: 'bench_flush_load',
  text: 'select * from users where id = any($1) and deleted_at is null',
};
const SAVE = {
  name: 'bench_flush_save',
  text: `update users u set notes = given.notes, updated_at = now()
    from unnest($1::bigint[], $2::text[]) as given (id, notes) where u.id = given.id and u.deleted_at is null`,
};
const LEFT = `select id, split_part(notes, ' ', 2) = id::text as changed, updated_at > now() - interval '1 minute' as touched from users
  where id = any($1) and deleted_at is null order by id`;

const ids = (index: number): string[] =>
  Array.from({ length: COUNT }, (_, n) => String(liveNumber(index * COUNT + n, SIZE.users)));
/** Another text for each call, so that each of them changes every row. */
const textOf = (id: string, call: number): string => `note ${id} ${call}`;

interface Orm {
  readonly em: { fork(): unknown };
}

interface Row {
  readonly id: string;
  notes: string;
}

/** 200 rows are loaded, which is not timed, and each gets a text of its own. */
export function flushWorkloads(pool: Pool, stock: MikroORM, layer: Orm): Workload[] {
  let calls = 0;
  let seen: string[] = [];
  const byOrm = (name: string, orm: Orm, live: object): Variant => ({
    name,
    prepare: async (index) => {
      const em = orm.em.fork() as SqlEntityManager;
      seen = ids(index);
      return [em, await em.find(User, { id: { $in: seen }, ...live })];
    },
    run: async (_index, prepared) => {
      const [em, users] = prepared as [SqlEntityManager, User[]];
      calls += 1;
      for (const user of users) user.notes = textOf(user.id, calls);
      await em.flush();
    },
  });
  return [
    {
      name: `flush-${COUNT}`,
      share: 0.5,
      witness: async (work) => {
        await pool.query(
          `update users set notes = '', updated_at = 'epoch' where deleted_at is null and notes <> ''`,
        );
        await work();
        return JSON.stringify((await pool.query(LEFT, [seen])).rows);
      },
      variants: [
        {
          name: 'pg, one UNNEST update',
          prepare: async (index) => {
            seen = ids(index);
            return (await pool.query<Row>({ ...LOAD, values: [seen] })).rows;
          },
          run: async (_index, prepared) => {
            const rows = prepared as Row[];
            calls += 1;
            for (const row of rows) row.notes = textOf(row.id, calls);
            await pool.query({ ...SAVE, values: [rows.map(({ id }) => id), rows.map(({ notes }) => notes)] });
          },
        },
        byOrm('stock, condition by hand', stock, { deletedAt: null }),
        byOrm('the layer', layer, {}),
      ],
    },
  ];
}
