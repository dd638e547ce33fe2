import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import {
  type Adopted,
  adoptDatabase,
  type Adoption,
  type AdoptOptions,
  checksumOf,
  differenceOf,
  Migrator,
  readSchema,
} from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { migrationFolder } from '../support/migration-folder.ts';
import { refusal } from './fixtures/shop.ts';

const FILES = {
  '001_users.sql': `-- +goose Up
CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL, tags text[]);
CREATE UNIQUE INDEX users_email ON users (email);`,
  '002_seed.sql': `-- +goose Up
INSERT INTO users (email) SELECT 'first@example.com' WHERE NOT EXISTS (SELECT FROM users);`,
  '003_tags.sql': `-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE user_tags (user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE, tag text NOT NULL, PRIMARY KEY (user_id, tag));
-- +tombstone backfill table=users key=id batch=2
INSERT INTO user_tags SELECT DISTINCT id, tag FROM users CROSS JOIN unnest(tags) AS tag WHERE id BETWEEN $1 AND $2 AND tag IS NOT NULL ON CONFLICT DO NOTHING;
-- +tombstone verify missing
SELECT id, tag FROM users CROSS JOIN unnest(tags) AS tag WHERE tag IS NOT NULL EXCEPT SELECT user_id, tag FROM user_tags;
-- +tombstone verify unexpected
SELECT user_id, tag FROM user_tags EXCEPT SELECT id, tag FROM users CROSS JOIN unnest(tags) AS tag;`,
  '004_orders.sql': `-- +goose Up
CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), total numeric(20,8) NOT NULL DEFAULT 0);
CREATE INDEX orders_user ON orders (user_id);`,
  '005_drop_tags.sql': `-- +tombstone phase=contract requires-backfill=shop/003_tags.sql
-- +goose Up
ALTER TABLE users DROP COLUMN tags;`,
  '006_index.sql': `-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY orders_total ON orders (total);`,
};

const folder = migrationFolder(FILES);
afterAll(() => folder.delete());

const OLD_USERS = 'create users';
const OLD_ORDERS = 'create orders';

/** What a shop of the old program looks like: its own ledger, its own names of files. */
const adoption: Adoption = {
  origin: 'the old shop',
  known: [
    { name: '1_users.sql', checksums: [checksumOf(OLD_USERS), checksumOf('an earlier text')] },
    { name: '2_orders.sql', checksums: [checksumOf(OLD_ORDERS)] },
    { name: '3_later.sql', checksums: [checksumOf('later')], isOptional: true },
  ],
  complete: ['shop/001_users.sql', 'shop/004_orders.sql'],
  rules: [
    {
      name: 'trim addresses',
      reason: 'The old program stored blanks around them.',
      table: 'public.users',
      key: 'id',
      columns: ['public.users.email'],
      statement:
        'UPDATE public.users SET email = btrim(email) WHERE id BETWEEN $1 AND $2 AND email <> btrim(email)',
      left: 'SELECT id FROM public.users WHERE email <> btrim(email)',
      when: 'before',
    },
  ],
  accepted: [],
  data: [
    { file: 'shop/002_seed.sql', how: 'run' },
    { file: 'shop/003_tags.sql', how: 'resume', statements: 1, column: 'public.users.tags' },
  ],
  warnings: [
    {
      count: `select count(*) from public.users where email = 'admin@example.com'`,
      columns: ['public.users.email'],
      text: 'The administrator that the old program makes is still there.',
    },
  ],
};

const modules = [{ ...folder, adoption }];

const USERS = `CREATE TABLE users (id bigserial PRIMARY KEY, email text NOT NULL, tags text[]);
  CREATE UNIQUE INDEX users_email ON users (email);
  INSERT INTO users (email, tags) VALUES ('admin@example.com', '{a,b,NULL,a}'), (' ada@example.com ', NULL), ('bob@example.com', '{}');`;
const ORDERS = `CREATE TABLE orders (id bigserial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users (id), total numeric(20,8) NOT NULL DEFAULT 0);
  CREATE INDEX orders_user ON orders (user_id); CREATE TABLE audit_trail (what text);`;
const LEDGER = `CREATE TABLE schema_migrations (filename text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());`;
const row = (name: string, text: string): string =>
  `INSERT INTO schema_migrations (filename, checksum) VALUES ('${name}', '${checksumOf(text)}');`;
const COMPLETE = LEDGER + row('1_users.sql', OLD_USERS) + row('2_orders.sql', OLD_ORDERS) + USERS + ORDERS;

async function database(sql = ''): Promise<{ url: string; client: Client }> {
  const { url } = await emptyTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  clients.push(client);
  if (sql !== '') await client.query(sql);
  return { url, client };
}

const clients: Client[] = [];
afterAll(async () => {
  for (const client of clients) await client.end();
});

const adopt = (connection: string, options: Partial<AdoptOptions> = {}): Promise<Adopted> =>
  adoptDatabase({ connection, modules, ...options });

const namesIn = async (client: Client): Promise<string[]> =>
  (
    await client.query<{ filename: string }>('select filename from schema_migrations order by filename')
  ).rows.map(({ filename }) => filename);

/** A database on which all files ran. */
async function fresh(): Promise<Awaited<ReturnType<typeof readSchema>>> {
  const { url } = await database();
  await new Migrator({ connection: url, modules }).up();
  return readSchema(url);
}

describe('what a database is', () => {
  it('is told, and nothing is changed by looking', async () => {
    const states: [string, string, RegExp][] = [
      ['empty', '', /None of the tables/],
      ['complete', COMPLETE, /2 known files of the old shop, which is all of them/],
      ['partial', LEDGER + row('1_users.sql', 'an earlier text') + USERS, /and not 2_orders\.sql/],
      ['legacy', USERS + ORDERS, /No ledger lists files, and 2 tables are there/],
      ['newer', COMPLETE + row('9_unknown.sql', 'x'), /9_unknown\.sql, which nobody here knows/],
      [
        'changed',
        COMPLETE.replace(checksumOf(OLD_ORDERS), checksumOf('edited')),
        /2_orders\.sql with a text/,
      ],
    ];
    for (const [state, sql, sign] of states) {
      const { url, client } = await database(sql);
      const before = await readSchema(url);
      const { plan, done } = await adopt(url);
      expect([state, plan.state]).toEqual([state, state]);
      expect(plan.signs.join(' ')).toMatch(sign);
      expect(done).toBeUndefined();
      expect(differenceOf(before, await readSchema(url))).toEqual([]);
      const tables = await client.query(`select from pg_class where relname ~ '^schema_migration_'`);
      expect(tables.rowCount).toBe(0);
    }
  });

  it('is no complete database where the ledger says so and the catalogue does not', async () => {
    const { url } = await database(COMPLETE.replace('CREATE INDEX orders_user ON orders (user_id);', ''));
    const { plan } = await adopt(url);
    expect(plan.state).toBe('partial');
    expect(plan.signs.at(-1)).toContain('shop/004_orders.sql');
  });

  it('is refused where a file is changed, or unknown and nobody says that it may be', async () => {
    for (const sql of [
      COMPLETE.replace(checksumOf(OLD_ORDERS), checksumOf('edited')),
      COMPLETE + row('9_unknown.sql', 'x'),
    ]) {
      const { url, client } = await database(sql);
      const before = await namesIn(client);
      const error = await refusal(adopt(url, { apply: true }));
      expect([error.code, error.message]).toEqual([
        'MIGRATION.ADOPTION',
        expect.stringContaining('nothing was changed'),
      ]);
      expect(await namesIn(client)).toEqual(before);
    }
    const { url } = await database(COMPLETE + row('9_unknown.sql', 'x'));
    await adopt(url, { apply: true, acceptNewer: true });
    expect((await adopt(url)).plan.state).toBe('ours');
  });
});

describe('what stands against an adoption', () => {
  it('is a role that does not own a table, before anything is changed', async () => {
    const { url, client } = await database(USERS + ORDERS);
    const role = `tombstone_test_lodger_${new URL(url).pathname.slice(-8)}`;
    await client.query(`create role ${role} login createdb password 'x'; grant all on schema public to ${role};
      grant all on all tables in schema public to ${role}; alter table users owner to ${role}`);
    try {
      const before = await readSchema(url);
      const lodger = new URL(url);
      [lodger.username, lodger.password] = [role, 'x'];
      const { plan } = await adopt(lodger.href);
      expect(plan.blockers.map(({ kind, object }) => `${kind} ${object}`)).toEqual(['rights public.orders']);
      const error = await refusal(adopt(lodger.href, { apply: true }));
      expect(error.code).toBe('MIGRATION.ADOPTION');
      expect(differenceOf(before, await readSchema(url))).toEqual([]);
    } finally {
      await client.query(
        `reassign owned by ${role} to current_user; drop owned by ${role}; drop role ${role}`,
      );
    }
  });

  it('is something else that has the name of a table', async () => {
    for (const sql of ['CREATE VIEW orders AS SELECT 1 AS id', `CREATE TYPE orders AS ENUM ('a')`]) {
      const { url, client } = await database(USERS + sql);
      const error = await refusal(adopt(url, { apply: true }));
      expect(error.message).toContain('public.orders');
      expect((await client.query('select from users')).rowCount).toBe(3);
      expect((await client.query(`select from pg_class where relname ~ '^schema_migration'`)).rowCount).toBe(
        0,
      );
    }
  });
});

it('is what a run of the files points to, where their tables are there already', async () => {
  const { url } = await database(COMPLETE);
  const error = await refusal(new Migrator({ connection: url, modules }).up());
  expect(error.message).toContain('if another program has made it, "migrate adopt" takes the database over');
});

describe('an adoption', () => {
  it('runs what is missing, records what is there, keeps the rest, and leaves the contract step', async () => {
    const { url, client } = await database(COMPLETE);
    const own = await client.query('select * from schema_migrations order by filename');
    const { plan, done } = await adopt(url, { apply: true });
    expect(plan.steps.map(({ kind, file }) => `${kind} ${file ?? ''}`)).toEqual([
      'rows ',
      'record shop/001_users.sql',
      'run shop/002_seed.sql',
      'run shop/003_tags.sql',
      'record shop/004_orders.sql',
      'run shop/006_index.sql',
    ]);
    expect(plan.waiting).toEqual(['shop/005_drop_tags.sql']);
    expect(plan.kept.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['table public.audit_trail']);
    expect(plan.warnings).toEqual(['The administrator that the old program makes is still there. (1)']);
    expect(done?.steps).toBe(6);
    const { rows: users } = await client.query('select email, tags from users order by id');
    expect(users.map(({ email }) => email)).toEqual([
      'admin@example.com',
      'ada@example.com',
      'bob@example.com',
    ]);
    expect((await client.query('select tag from user_tags order by tag')).rows).toEqual([
      { tag: 'a' },
      { tag: 'b' },
    ]);
    const kept = await client.query(
      `select * from schema_migrations where filename !~ '/' order by filename`,
    );
    expect(kept.rows).toEqual(own.rows);
    // The contract step lies below a file that is applied, and waits all the same.
    await new Migrator({ connection: url, modules }).up();
    expect(differenceOf(await fresh(), await readSchema(url)).map(({ name }) => name)).toEqual([
      'public.audit_trail',
    ]);
  });

  it('with the contract step ends at once where a fresh database ends', async () => {
    const { url } = await database(COMPLETE);
    const { plan } = await adopt(url, { apply: true, contract: true });
    expect(plan.waiting).toEqual([]);
    const differences = differenceOf(await fresh(), await readSchema(url));
    expect(differences.map(({ name }) => name)).toEqual(['public.audit_trail']);
  });

  it('goes on behind the statements that the catalogue shows', async () => {
    const tags = `CREATE TABLE user_tags (user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE, tag text NOT NULL, PRIMARY KEY (user_id, tag)); INSERT INTO user_tags VALUES (1, 'a');`;
    const { url, client } = await database(COMPLETE + tags);
    const { plan } = await adopt(url, { apply: true });
    expect(plan.steps.map(({ text }) => text)).toContain('run shop/003_tags.sql from statement 2');
    expect((await client.query('select tag from user_tags order by tag')).rows).toEqual([
      { tag: 'a' },
      { tag: 'b' },
    ]);
  });

  it('makes the table whose rows would come from a column that is gone', async () => {
    const users = USERS.replace(', tags text[]', '').replace(/INSERT INTO users .*;/, '');
    const { url } = await database(users + ORDERS);
    const { plan } = await adopt(url, { apply: true });
    expect(plan.steps.map(({ kind, file }) => `${kind} ${file ?? ''}`)).toEqual(
      expect.arrayContaining([
        'schema shop/003_tags.sql',
        'record shop/003_tags.sql',
        'record shop/005_drop_tags.sql',
      ]),
    );
    const differences = differenceOf(await fresh(), await readSchema(url));
    expect(differences.map(({ name }) => name)).toEqual(['public.audit_trail']);
  });

  it('ends although a program goes on storing what a rule changes', async () => {
    const { url, client } = await database(COMPLETE);
    // Each change of a row stores another one of the same kind, as a busy program does.
    await client.query(`CREATE FUNCTION busy() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
      INSERT INTO users (email) VALUES (' again' || nextval('users_id_seq') || ' '); RETURN NULL; END$$;
      CREATE TRIGGER busy AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION busy();`);
    await adopt(url, { apply: true });
    const { rows } = await client.query(`select count(*)::int as rows from users where email like 'again%'`);
    expect(rows).toEqual([{ rows: 9 }]);
  });

  it('goes on behind the statements also where instants are written in another style', async () => {
    const tags = `CREATE TABLE user_tags (user_id bigint NOT NULL REFERENCES users (id) ON DELETE CASCADE, tag text NOT NULL, PRIMARY KEY (user_id, tag));`;
    const { url, client } = await database(COMPLETE + tags);
    await client.query(`alter database "${new URL(url).pathname.slice(1)}" set datestyle to 'German'`);
    await adopt(url, { apply: true });
    expect((await client.query('select from user_tags')).rowCount).toBe(2);
  });

  it('does not guess what a file did that leaves no trace', async () => {
    const { url, client } = await database(COMPLETE);
    const silent = [{ ...folder, adoption: { ...adoption, data: [] } }];
    const error = await refusal(adopt(url, { apply: true, modules: silent }));
    expect(error.message).toContain('does not show whether what shop/002_seed.sql does was done');
    expect(await namesIn(client)).toEqual(['1_users.sql', '2_orders.sql']);
  });

  it('finds nothing to do the second time', async () => {
    const { url, client } = await database(COMPLETE);
    await adopt(url, { apply: true, contract: true });
    const before = await namesIn(client);
    const again = await adopt(url, { apply: true, contract: true });
    expect([again.plan.state, again.plan.steps, again.done?.steps]).toEqual(['ours', [], 0]);
    expect(await namesIn(client)).toEqual(before);
  });
});

describe('an adoption that is not alone', () => {
  it('whose session is ended before any step, goes on where it was', async () => {
    const { url: whole } = await database(COMPLETE);
    const total = (await adopt(whole, { apply: true, contract: true })).done?.steps ?? 0;
    const end = await readSchema(whole);
    expect(total).toBeGreaterThan(5);
    for (let at = 0; at < total; at += 1) {
      const { url, client } = await database(COMPLETE);
      const stop = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'tombstone migrate'`;
      const kill: Promise<unknown>[] = [];
      const onProgress: AdoptOptions['onProgress'] = (event) => {
        if (event.type === 'adoption-step' && event.index === at) kill.push(client.query(stop));
      };
      const error = await refusal(adopt(url, { apply: true, contract: true, onProgress }));
      await Promise.all(kill);
      // Of a statement of a file the server still says that it was stopped.
      expect(['MIGRATION.UNREACHABLE', 'MIGRATION.FAILED']).toContain(error.code);
      const { plan } = await adopt(url, { apply: true, contract: true });
      // The first step may have been stopped before it was written down.
      if (at > 0) expect([at, plan.state]).toEqual([at, 'begun']);
      expect(differenceOf(end, await readSchema(url))).toEqual([]);
      expect((await adopt(url)).plan.state).toBe('ours');
    }
  });

  it('leaves the contract step also when it goes on behind the files below it', async () => {
    const { url, client } = await database(COMPLETE);
    const stop = `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'tombstone migrate'`;
    const kill: Promise<unknown>[] = [];
    await refusal(
      adopt(url, {
        apply: true,
        onProgress: (event) => {
          if (event.type === 'adoption-step' && event.text === 'run shop/006_index.sql')
            kill.push(client.query(stop));
        },
      }),
    );
    await Promise.all(kill);
    const { plan } = await adopt(url, { apply: true });
    expect([plan.state, plan.waiting]).toEqual(['begun', ['shop/005_drop_tags.sql']]);
    expect((await client.query('select tags from users where id = 1')).rows).toEqual([
      { tags: ['a', 'b', null, 'a'] },
    ]);
  });

  it('clears what a broken-off run has left where nothing is to be aligned', async () => {
    const left = `CREATE FUNCTION tombstone_adopt_mirror() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER tombstone_adopt_mirror AFTER UPDATE OF tags ON users FOR EACH ROW EXECUTE FUNCTION tombstone_adopt_mirror();`;
    const { url } = await database(COMPLETE + left);
    const { plan } = await adopt(url, { apply: true });
    expect(plan.steps[1]?.text).toMatch(/was broken off: .*trigger public\.users\.tombstone_adopt_mirror/);
    expect((await readSchema(url)).filter(({ name }) => name.includes('tombstone_adopt'))).toEqual([]);
    // The trigger would have kept the column.
    await new Migrator({ connection: url, modules }).up();
  });

  it('lets another one wait, which then finds it done', async () => {
    const { url, client } = await database(COMPLETE);
    const both = await Promise.all([
      adopt(url, { apply: true, contract: true, lockPollMs: 20 }),
      adopt(url, { apply: true, contract: true, lockPollMs: 20 }),
    ]);
    expect(both.map(({ plan }) => plan.state).toSorted()).toEqual(['complete', 'ours']);
    const { rows } = await client.query(
      `select step, count(*)::int as times, bool_and(finished_at is not null) as done from schema_migration_adoption group by step`,
    );
    expect(rows.every(({ times, done }) => times === 1 && done === true)).toBe(true);
  });
});
