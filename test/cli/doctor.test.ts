import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { DOCTOR_RULES } from 'tombstone/migrations';
import { WAIVER_RULES } from '../../src/kit/migrations/doctor/waiver.ts';
import { type Ended, ROOT, run } from '../support/command.ts';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { type MigrationFolder, migrationFolder } from '../support/migration-folder.ts';
import { expectSentence, project } from './fixtures/project.ts';
import { SHELF } from './fixtures/shelf.ts';

const folders: MigrationFolder[] = [];
afterAll(() => folders.forEach((folder) => folder.delete()));

interface Answer {
  readonly findings: readonly { readonly rule: string; readonly about: string; readonly sql: string[] }[];
  readonly waived: readonly object[];
  /** How the command ended. */
  readonly code: number | null;
}

async function execute(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

interface Shelf {
  readonly url: string;
  doctor(...args: string[]): Promise<Ended>;
  /** Rule and object of each finding. */
  found(): Promise<string[]>;
  answer(): Promise<Answer>;
}

/** The entities of the shelf over a database that has these statements too; `told` are the arguments of the configuration. */
async function shelf(sql = '', ...told: object[]): Promise<Shelf> {
  const folder = migrationFolder({}, 'shelf');
  folders.push(folder);
  const args = [folder.migrations, ...told].map((each) => JSON.stringify(each)).join(', ');
  writeFileSync(
    join(folder.root, 'mikro-orm.config.ts'),
    `import { shelfConfig } from ${JSON.stringify(join(ROOT, 'test/cli/fixtures/shelf.ts'))};
     export default shelfConfig(${args});`,
  );
  const { url } = await emptyTestDatabase();
  await execute(url, SHELF, sql);
  const doctor = (...more: string[]): Promise<Ended> =>
    run([join(ROOT, 'bin/tombstone.js'), 'doctor', ...more], { DATABASE_URL: url }, folder.root);
  const answer = async (): Promise<Answer> => {
    const { out, code } = await doctor('--json');
    return { ...(JSON.parse(out) as Answer), code };
  };
  return {
    url,
    doctor,
    answer,
    found: async () => (await answer()).findings.map(({ rule, about }) => `${rule} ${about}`),
  };
}

const EDITOR = 'D501 Book.editor';

describe('tombstone doctor on our own schema', () => {
  const bin = join(ROOT, 'bin/tombstone.js');

  it('finds nothing and ends with 0, because what is meant is waived with a reason', async () => {
    const { url } = await cloneTestDatabase();
    const ended = await run([bin, 'doctor', '--json'], { DATABASE_URL: url });
    expect(ended).toMatchObject({ code: 0, err: '' });
    const { findings, waived } = JSON.parse(ended.out) as Answer;
    expect(findings).toEqual([]);
    expect(waived).toContainEqual({
      rule: 'D101',
      about: 'api_keys.api_keys_key_key',
      reason: 'The text of a key that was deleted must never open anything again.',
    });
  });

  it('finds nothing when usage logs are divided by month', async () => {
    const { url } = await cloneTestDatabase();
    const config = ['--config', join(ROOT, 'test/cli/fixtures/divided.config.ts')];
    const env = { DATABASE_URL: url };
    expect((await run([bin, 'migrate', 'up', ...config], env)).code).toBe(0);
    const ended = await run([bin, 'doctor', ...config], env);
    expect([ended.code, ended.out]).toEqual([0, expect.stringContaining('Nothing found.')]);
  });

  it('finds a table whose unique index has lost its predicate', async () => {
    const { url } = await cloneTestDatabase();
    await execute(
      url,
      'drop index users_email_unique_active; create unique index users_email_unique_active on users (email)',
    );
    const ended = await run([bin, 'doctor'], { DATABASE_URL: url });
    expect(ended.code).toBe(1);
    expect(ended.out).toContain('error D101 users.users_email_unique_active: A deleted row keeps its value');
    expect(ended.out).toContain(
      '  CREATE UNIQUE INDEX CONCURRENTLY "users_email_unique_active_new" ON public.users USING btree (email) WHERE ("deleted_at" IS NULL);\n',
    );
    expect(ended.out).toMatch(/\n\d found, \d of them errors\.\n$/);
  });
});

describe('what entities say', () => {
  it('is asked: a relation without an answer, beside one that has it', async () => {
    const { findings, code } = await (await shelf()).answer();
    expect(findings.map(({ rule, about }) => `${rule} ${about}`)).toEqual([EDITOR]);
    expect(code).toBe(0);
  });

  it('names the column of the mark, of whatever table has it then', async () => {
    const sql = `create unique index w on writers (name); create table pens (id bigint primary key, ink text unique, gone_at date)`;
    const { found } = await shelf(sql);
    expect(await found()).toEqual([
      'D101 pens.pens_ink_key',
      'D101 writers.w',
      EDITOR,
      'D602 drop index "w"',
    ]);
  });

  it('and the database lacks is found with what mends it, and a drop is never offered', async () => {
    const { url, answer } = await shelf(
      `drop index books_writer; create index books_writer on books (id); alter table writers alter name drop not null,
       add column pen text; alter table books drop column shelf_id; create index odd on books (id)`,
    );
    const { findings, code } = await answer();
    expect(code).toBe(1);
    const drifts = findings.filter(({ rule }) => rule.startsWith('D6'));
    expect(drifts.map(({ rule, about }) => [rule, about]).toSorted()).toEqual([
      ['D601', 'alter table "books" add "shelf_id" bigint null'],
      [
        'D601',
        'alter table "books" add constraint "books_shelf_id_fkey" foreign key ("shelf_id") references "shelves" ("id") on update no action on delete restrict',
      ],
      ['D601', 'alter table "writers" alter column "name" set not null'],
      ['D601', 'create index "books_shelf" on "books" ("shelf_id")'],
      ['D601', 'create index "books_writer" on "books" ("writer_id")'],
      ['D602', 'alter table "writers" drop column "pen"'],
      ['D602', 'drop index "odd"'],
    ]);
    for (const { rule, sql } of drifts) {
      if (rule === 'D601') await execute(url, ...sql);
      else expect(sql).toEqual([]);
    }
    expect((await answer()).findings.map(({ rule }) => rule)).toEqual(['D501', 'D602', 'D602']);
  });

  it('leaves tables alone that no entity has', async () => {
    const { found } = await shelf(
      `create type mood as enum ('calm'); create table other (id int primary key, mood mood); create view v as select * from other;
       create table months (id int, day int) partition by range (day); create table month_1 partition of months default`,
    );
    expect(await found()).toEqual([EDITOR]);
  });
});

describe('a waiver', () => {
  const reason = 'It is meant.';
  const sql = 'create table pens (id bigint primary key, ink text unique, tip text unique, deleted_at date)';

  it('of a module or of the configuration lifts what it names, and nothing else', async () => {
    const ofModule = [{ rule: 'D501', about: ['Book.editor'], reason }];
    const waivers = [{ rule: 'D101', about: ['pens.pens_ink_key'], reason }];
    const { answer } = await shelf(sql, { waivers }, ofModule);
    const { findings, waived } = await answer();
    expect(findings).toMatchObject([{ rule: 'D101', about: 'pens.pens_tip_key' }]);
    expect(waived).toEqual([
      { rule: 'D501', about: 'Book.editor', reason },
      { rule: 'D101', about: 'pens.pens_ink_key', reason },
    ]);
  });

  it('without a reason, and one that waives nothing, is an error itself', async () => {
    const waivers = [
      { rule: 'D101', about: ['pens.pens_ink_key'], reason: ' ' },
      { rule: 'D102', about: ['pens.pens_tip_key'], reason },
      { rule: 'D999', about: ['pens'], reason },
      { rule: 'D601', about: ['drop table pens'], reason },
      { rule: 'D001', about: ['D101 pens.pens_ink_key'], reason },
    ];
    const { answer } = await shelf(sql, { waivers });
    const { findings, code } = await answer();
    expect(code).toBe(1);
    expect(findings.map(({ rule, about }) => `${rule} ${about}`)).toEqual([
      'D101 pens.pens_ink_key',
      'D101 pens.pens_tip_key',
      EDITOR,
      'D001 D101 pens.pens_ink_key',
      'D002 D102 pens.pens_tip_key',
      'D002 D999 pens',
      'D002 D601 drop table pens',
    ]);
  });

  it('about a table whose migration is pending is left alone', async () => {
    const waivers = [{ rule: 'D101', about: ['later.later_key', 'pen.pens_ink_key'], reason }];
    const { found } = await shelf('create table pens (id int primary key)', { waivers });
    expect(await found()).toEqual([EDITOR]);
  });
});

describe('tombstone doctor', () => {
  const FOREIGN = `create schema crm; create table crm."Contact" (id int primary key, mail text unique, "removedAt" timestamp)`;

  it('works on a database that no entity describes, and knows the mark by --mark', async () => {
    const { tombstone, query } = await project();
    await query(FOREIGN);
    expect(await tombstone('doctor', '--json')).toMatchObject({ code: 0, err: '' });
    const ended = await tombstone('doctor', '--mark', 'removedAt', '--mark', 'gone', '--json');
    expect(ended.code).toBe(1);
    expect(JSON.parse(ended.out)).toMatchObject({
      findings: [{ rule: 'D101', severity: 'error', about: 'crm.Contact.Contact_mail_key' }],
      waived: [],
    });
  });

  it('knows the mark by the configuration too', async () => {
    const { found } = await shelf(FOREIGN, { marks: ['removedAt'] });
    expect(await found()).toEqual(['D101 crm.Contact.Contact_mail_key', EDITOR]);
  });

  it('reads only, in one transaction that could not write', async () => {
    const { url, doctor } = await shelf(
      'create table pens (id int primary key, ink text unique, deleted_at date)',
    );
    const { pathname } = new URL(url);
    await execute(url, `alter database "${pathname.slice(1)}" set default_transaction_read_only to on`);
    const ended = await doctor();
    expect([ended.code, ended.err]).toEqual([1, '']);
  });

  it('fails with the code of what went wrong, and one object under --json', async () => {
    const { folder } = await project();
    const bin = join(ROOT, 'bin/tombstone.js');
    const nowhere = { DATABASE_URL: 'postgresql://ada:s3cret@127.0.0.1:1/nowhere' };
    const closed = await run([bin, 'doctor', '--json'], nowhere, folder.root);
    expect(closed.code).toBe(40);
    expectSentence(closed, 'cannot be reached');
    expect(JSON.parse(closed.out)).toMatchObject({ error: { code: 'MIGRATION.UNREACHABLE', exitCode: 40 } });
  });

  it('ends with 2 when it is called wrongly, and touches nothing', async () => {
    const { folder, tombstone } = await project();
    const bin = join(ROOT, 'bin/tombstone.js');
    const unnamed = await run([bin, 'doctor', '--json'], {}, folder.root);
    expect(unnamed.code).toBe(2);
    expectSentence(unnamed, 'DATABASE_URL is not set');
    expect((await tombstone('doctor', '--config', 'nothing.ts')).code).toBe(2);
    writeFileSync(join(folder.root, 'mikro-orm.config.mjs'), 'export default undefined;');
    const empty = await tombstone('doctor');
    expect(empty.code).toBe(2);
    expectSentence(empty, 'has no configuration. Export defineDataConfig');
  });

  it('is asked after the database has answered, entities or not', async () => {
    const { doctor: _doctor } = await shelf();
    const folder = folders.at(-1) as MigrationFolder;
    const nowhere = { DATABASE_URL: 'postgresql://ada:s3cret@127.0.0.1:1/nowhere' };
    const closed = await run([join(ROOT, 'bin/tombstone.js'), 'doctor'], nowhere, folder.root);
    expect(closed.code).toBe(40);
  });

  it('explains itself by --help', async () => {
    const { tombstone } = await project();
    const { out, code } = await tombstone('doctor', '--help');
    expect(code).toBe(0);
    for (const part of ['--mark <column>', '--json', '--config <file>', '1 an error found'])
      expect(out).toContain(part);
    expect((await tombstone('--help')).out).toMatch(/^ +doctor \[options\] +examine how/m);
  });

  it('has every rule on its page, with severity, sentence and alternative', () => {
    const page = readFileSync(join(ROOT, 'docs/doctor.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (D\d+) +\| (\w+) +\| (.+?) +\| (.+?) +\|$/gm)].map((row) =>
      row.slice(1),
    );
    const ofWaivers = Object.entries(WAIVER_RULES).map(([id, rule]) => ({ id, ...rule }));
    expect(rows).toEqual(
      [...ofWaivers, ...DOCTOR_RULES].map(({ id, severity, sentence, alternative }) => [
        id,
        severity,
        sentence,
        alternative,
      ]),
    );
  });
});
