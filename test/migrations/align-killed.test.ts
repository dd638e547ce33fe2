import { describe, expect, it } from '@jest/globals';
import { aligning, type Aligning, dieAt, temporaries, wanted } from './fixtures/aligning.ts';

const TARGET = `
  create table p (id bigint primary key, a int);
  create table t (id bigint primary key, v numeric(22,10) not null default 0, n int not null default 4, p_id bigint, e text, d timestamptz, x int, k text, u text);
  alter table t add constraint t_p_id_fkey foreign key (p_id) references p (id) on delete cascade, add constraint t_x check (x > 0),
    add constraint t_k unique (k), add constraint t_u unique (u);
  create index t_n on t (n desc);
  create unique index t_e on t (e) where d is null;
  create table m (id bigserial primary key, t_id bigint not null references t (id));
  create index m_t on m (t_id)`;

/** Everything differs: types, NULL, names, actions; what is of the same name is something else. */
const LIVE = `
  create table p (id bigint primary key, a int);
  create table t (id bigint primary key, v numeric(20,8) not null default 0, n int, p_id bigint, e text, d timestamptz, x int, k text);
  alter table t add constraint t_p_id_fkey foreign key (p_id) references p (id), add constraint t_x check (x > 1),
    add constraint uni_t_e unique (e), add constraint t_k unique (e, k);
  create index t_n on t (n);
  create unique index idx_t_k on t (k);
  insert into p values (1, 1);
  insert into t select s, s, nullif(s % 2, 0), 1, 'e' || s, null, 2, 'k' || s from generate_series(1, 20) s`;

const small = { rows: 0, bytes: 0 };

async function again({ client }: Aligning): Promise<void> {
  await client.query(`drop schema public cascade; create schema public; ${LIVE}`);
}

describe('a run that is killed before any statement that changes something', () => {
  it('is finished by the next one, with no row lost and nothing left over', async () => {
    const db = await aligning(await wanted(TARGET), LIVE);
    let at = 0;
    for (; await dieAt(db, at, { small }); at += 1) {
      await db.align({ small }).catch((error: Error) => {
        throw new Error(`killed before statement ${at}: ${error.message}`);
      });
      const { rows } = await db.client.query(
        'select count(*)::int as n, sum(v)::int as v, sum(n)::int as filled, count(distinct k)::int as k from t',
      );
      expect([at, rows]).toEqual([at, [{ n: 20, v: 210, filled: 10 + 40, k: 20 }]]);
      expect([at, await temporaries(db.client)]).toEqual([at, []]);
      await again(db);
    }
    expect(at).toBeGreaterThan(25);
  });
});
