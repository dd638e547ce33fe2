import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { diagnose, type Diagnosis, DOCTOR_RULES, lintMigrations } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { migrationFolder } from '../support/migration-folder.ts';
import { DOCTOR_CASES } from './fixtures/doctor-cases/index.ts';

let url: string;
let client: Client;
let major: number;
beforeAll(async () => {
  ({ url } = await emptyTestDatabase());
  client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ version: number }>(
    `select current_setting('server_version_num')::int / 10000 as version`,
  );
  major = rows[0]?.version ?? 0;
});
const folder = migrationFolder({});
afterAll(async () => {
  folder.delete();
  await client.end();
});

/** What cannot be done without: CONCURRENTLY is refused for the index of a divided table, and an exclusion constraint is built as it is added. */
function admitted(id: string, name: string): readonly string[] {
  if (/divided|partitions/.test(name)) return ['L101', 'L102', 'L109', ...(major < 18 ? ['L110'] : [])];
  return id === 'D103' || /deferred|OVERLAPS|exclusion/.test(name) ? ['L108'] : [];
}

/** The database has this schema afterwards, and nothing else. */
async function become(sql: string): Promise<void> {
  await client.query(
    `drop schema if exists "Ünion" cascade; drop schema public cascade; create schema public`,
  );
  await client.query(sql);
}

const examine = (): Promise<Diagnosis> => diagnose({ connection: url });
const aboutOf = ({ findings }: Diagnosis, id: string): string[] =>
  findings.filter(({ rule }) => rule === id).map(({ about }) => about);

async function outcomeOf(sql: string): Promise<string> {
  try {
    await client.query(sql);
    return 'passes';
  } catch (error) {
    return (error as { code: string }).code;
  }
}

/** Rules about entities have tests of their own. */
const ids = DOCTOR_RULES.map(({ id }) => id).filter((id) => !/^D[56]/.test(id));
const bad = ids.flatMap((id) =>
  Object.entries(DOCTOR_CASES[id]?.bad ?? {}).map(([name, each]) => ({ id, name, ...each })),
);
const good = ids.flatMap((id) =>
  Object.entries(DOCTOR_CASES[id]?.good ?? {}).map(([name, each]) => ({
    id,
    name,
    ...(typeof each === 'string' ? { sql: each, since: 14 } : each),
  })),
);

describe('the doctor', () => {
  it('has cases for every rule', () => {
    expect(Object.keys(DOCTOR_CASES)).toEqual(ids);
    for (const id of ids) {
      const { bad: wrong = {}, good: right = {} } = DOCTOR_CASES[id] ?? {};
      expect([id, Object.keys(wrong).length > 0, Object.keys(right).length > 0]).toEqual([id, true, true]);
    }
  });

  it.each(bad)(
    '$id finds $name, and its SQL mends it',
    async ({ id, sql, about, since = 14, after = {} }) => {
      if (major < since) return;
      await become(sql);
      const found = await examine();
      expect(aboutOf(found, id)).toEqual(about);
      for (const { rule, sql: statements } of found.findings) {
        if (rule === id) for (const statement of statements) await client.query(statement);
      }
      expect(aboutOf(await examine(), id)).toEqual([]);
      const { rows } = await client.query('select indexrelid::regclass from pg_index where not indisvalid');
      expect(rows).toEqual([]);
      for (const [statement, outcome] of Object.entries(after))
        expect([statement, await outcomeOf(statement)]).toEqual([statement, outcome]);
    },
  );

  it.each(bad)('$id mends $name with nothing that lint refuses', async ({ id, name, sql, since = 14 }) => {
    if (major < since) return;
    await become(sql);
    const { findings } = await examine();
    const mending = findings.filter(({ rule }) => rule === id).flatMap((finding) => finding.sql);
    const text = mending.map((statement) => `${statement};`).join('\n');
    folder.write('001_mend.sql', `-- +goose NO TRANSACTION\n-- +goose Up\n${text}\n`);
    const linted = await lintMigrations([folder], [], { connection: url });
    const errors = linted.filter(({ severity }) => severity === 'error').map(({ rule }) => rule);
    expect([...new Set(errors)].filter((rule) => !admitted(id, name).includes(rule))).toEqual([]);
  });

  it.each(good)('$id leaves alone $name', async ({ id, sql, since }) => {
    if (major < since) return;
    await become(sql);
    expect(aboutOf(await examine(), id)).toEqual([]);
  });
});

describe('a cascade', () => {
  it('is a policy where the program carries deletions of the parent to its children', async () => {
    await become(
      `create schema "Ünion"; create table users (id int primary key, deleted_at date);
       create table "Ünion".users (id int primary key, deleted_at date, boss_id int references users on delete cascade);
       create table notes (id int references "Ünion".users on delete cascade, deleted_at date)`,
    );
    const askedWith = async (...deletedByPolicy: { schema?: string; table: string }[]): Promise<string[]> =>
      aboutOf(await diagnose({ connection: url, model: { deletedByPolicy } }), 'D203');
    const [boss, note] = ['Ünion.users.users_boss_id_fkey', 'notes.notes_id_fkey'];
    expect(await askedWith()).toEqual([note, boss]);
    expect(await askedWith({ table: 'users' })).toEqual([note]);
    expect(await askedWith({ table: 'users', schema: 'Ünion' })).toEqual([boss]);
    expect(await askedWith({ table: 'notes' })).toEqual([note, boss]);
  });

  it('and so is what becomes of a child without a mark', async () => {
    await become(
      `create table users (id int primary key, deleted_at date); create table logs (id int primary key, user_id int references users)`,
    );
    const asked = async (...deletedByPolicy: { table: string }[]): Promise<string[]> =>
      aboutOf(await diagnose({ connection: url, model: { deletedByPolicy } }), 'D201');
    expect(await asked({ table: 'logs' })).toEqual(['logs.logs_user_id_fkey']);
    expect(await asked({ table: 'users' })).toEqual([]);
  });
});

describe('all schemas in one database', () => {
  /** Each in a schema of its own, beside the others. */
  async function fill(): Promise<void> {
    await become('');
    const all = [...bad, ...good].filter(({ since = 14 }) => major >= since);
    for (const [number, { sql }] of all.entries()) {
      if (sql.includes('create schema')) continue;
      await client.query(`create schema "Case ${number}"; set search_path to "Case ${number}"; ${sql}`);
    }
    await client.query('reset search_path');
  }

  beforeAll(fill);

  it('are examined by a role that may read no table', async () => {
    const expected = await examine();
    await client.query(
      `drop role if exists tombstone_stranger; create role tombstone_stranger login password 'stranger'`,
    );
    try {
      const own = new URL(url);
      own.username = 'tombstone_stranger';
      own.password = 'stranger';
      const found = await diagnose({ connection: own.href });
      // Without a right to the rows there are no statistics either.
      const known = expected.findings.filter(({ rule }) => rule !== 'D302');
      expect(found.findings.map(({ rule, about }) => `${rule} ${about}`)).toEqual(
        known.map(({ rule, about }) => `${rule} ${about}`),
      );
    } finally {
      await client.query('drop role tombstone_stranger');
    }
  }, 60_000);

  it('are mended by running all statements, round by round, until nothing is found', async () => {
    const rounds: number[] = [];
    for (let { findings } = await examine(); findings.length > 0; { findings } = await examine()) {
      rounds.push(findings.length);
      if (rounds.length > 4) expect(findings).toEqual([]);
      for (const statement of findings.flatMap(({ sql }) => sql))
        expect([statement, await outcomeOf(statement)]).toEqual([statement, 'passes']);
    }
    expect(rounds[0]).toBeGreaterThan(bad.length / 2);
    const { rows } = await client.query(
      'select indexrelid::regclass from pg_index where not indisvalid and indrelid in (select oid from pg_class where relkind = $$r$$)',
    );
    expect(rows).toEqual([]);
  }, 120_000);
});
