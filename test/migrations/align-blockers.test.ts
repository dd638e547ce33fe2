import { describe, expect, it } from '@jest/globals';
import { type BlockerRequest, findBlockers } from '../../src/kit/migrations/adopt/align/blockers.ts';
import type { Blocker } from '../../src/kit/migrations/adopt/align/align-step.ts';
import { describeSchema } from '../../src/kit/migrations/drift/description.ts';
import { aligning, type Aligning, wanted } from './fixtures/aligning.ts';

const TARGET = wanted(`
  create table users (id bigint primary key, email text not null, name text not null default '', age int check (age > 0), balance numeric(10,2), deleted_at timestamptz);
  create unique index users_email on users (lower(email) text_pattern_ops desc) where deleted_at is null;
  create table keys (id bigint primary key, key text constraint keys_key_key unique, user_id bigint references users (id) on delete cascade, extra text constraint extra_key unique)`);
const LIVE = `create table users (id bigint primary key, email text, name text, age int, balance numeric(20,8), deleted_at timestamptz);
  create table keys (id bigint primary key, key text, user_id bigint)`;

async function blockersOf(db: Aligning, options: Partial<BlockerRequest> = {}): Promise<Blocker[]> {
  const { target } = await TARGET;
  return findBlockers(db.session, { target, live: await describeSchema(db.session), ...options });
}

const SECRET = 'secret@example.com';

describe('rows that stand in the way', () => {
  it('are counted by kind, with a query that lists them and no value in the text', async () => {
    const db = await aligning(
      await TARGET,
      `${LIVE};
      insert into users values (1, '${SECRET}', null, 5, 1.25, null), (2, upper('${SECRET}'), null, -1, 1.255, null), (3, '${SECRET}', null, null, 1, now()), (4, null, null, null, null, null);
      insert into keys values (1, 'k', 1), (2, 'k', null), (3, 'k', 9), (4, null, null), (5, null, null)`,
    );
    const blockers = await blockersOf(db);
    expect(blockers.map(({ kind, object, rows }) => ({ kind, object, rows }))).toEqual([
      { kind: 'values', object: 'public.users.balance', rows: 1 },
      { kind: 'nulls', object: 'public.users.email', rows: 1 },
      { kind: 'duplicates', object: 'public.keys.keys_key_key', rows: 2 },
      { kind: 'orphans', object: 'public.keys.keys_user_id_fkey', rows: 1 },
      { kind: 'values', object: 'public.users.users_age_check', rows: 1 },
      { kind: 'duplicates', object: 'public.users_email', rows: 1 },
    ]);
    expect(JSON.stringify(blockers)).not.toContain('secret');
    for (const { text, query } of blockers) {
      expect(text).toMatch(/: \d+ rows?\. .*\.$/);
      expect((await db.client.query(query ?? '')).rows.length).toBeGreaterThan(0);
    }
    const repaired = ['constraint public.keys.keys_key_key', 'index public.users_email'];
    const fillable = ['public.users.email'];
    expect((await blockersOf(db, { repaired, fillable })).map(({ kind }) => kind)).toEqual([
      'values',
      'orphans',
      'values',
    ]);
  });

  it('are not looked for where the database demands the same under another name', async () => {
    const db = await aligning(
      await TARGET,
      `${LIVE}; alter table users add constraint other_check check (age > 0);
      create unique index idx_keys_key on keys (key);
      alter table keys add constraint fk foreign key (user_id) references users (id) on delete set null`,
    );
    // These could not be counted: the query would fail.
    await db.client.query(`create function users_broken(users) returns int language sql as 'select 1'`);
    const blockers = await blockersOf(db);
    expect(blockers).toEqual([]);
  });

  it('are those of a foreign key to a table that is missing, too', async () => {
    const db = await aligning(
      await TARGET,
      'create table keys (id bigint primary key, user_id bigint); insert into keys values (1, 2)',
    );
    expect(await blockersOf(db)).toMatchObject([{ kind: 'orphans', rows: 1 }]);
  });

  it('would be our own, where an unknown column has to have a value', async () => {
    const db = await aligning(
      await TARGET,
      `${LIVE}; alter table keys add a int not null, add b int not null default 1, add c int, add d int not null generated always as identity; create table other (a int not null)`,
    );
    expect(await blockersOf(db)).toMatchObject([{ kind: 'shape', object: 'public.keys.a' }]);
  });
});
