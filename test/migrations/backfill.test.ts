import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { Backfills, BackfillUnverifiedError } from 'tombstone/migrations';
import {
  backfillFile,
  backfillRow,
  backfillSetup,
  batchesIn,
  COPY,
  itemsFile,
  notOnce,
  ONCE,
  rowsOf,
} from './fixtures/backfill.ts';
import { refusal, setup } from './fixtures/shop.ts';

const REPEATABLE = `${COPY.slice(0, -1)} and not exists (select from copies c where c.id = items.id);`;

async function connected(url: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return client;
}

describe('a back-fill', () => {
  it('goes through the table in batches, each told with what it has done', async () => {
    const made = await backfillSetup(95);
    await made.migrator().up();
    expect(await notOnce(made.url)).toEqual([]);
    expect(
      batchesIn(made.events).map(({ rows, written, batches, pass }) => [rows, written, batches, pass]),
    ).toEqual([10, 20, 30, 40, 50, 60, 70, 80, 90, 95].map((rows, index) => [rows, rows, index + 1, 1]));
    expect(batchesIn(made.events).at(-1)).toMatchObject({ estimate: 95, remainingMs: 0 });
    expect(batchesIn(made.events)[0]).toMatchObject({
      name: 'shop/002_copy.sql',
      statement: 2,
      estimate: 95,
    });
    expect(await backfillRow(made.url)).toMatchObject({
      cursor: '95',
      passes: 1,
      batches: 10,
      rows_read: 95,
      rows_written: 95,
      verified: true,
    });
    expect(await made.names()).toHaveLength(2);
  });

  it('takes values of the environment, and goes through its batches with them', async () => {
    const made = await backfillSetup(25, {
      before: '-- +goose ENVSUB ON',
      statement: `${COPY.slice(0, -1)} and name <> '\${NOBODY}';`,
    });
    await made.migrator({ variables: { lookup: () => "o'nobody" } }).up();
    expect(await notOnce(made.url)).toEqual([]);
    expect(await backfillRow(made.url)).toMatchObject({ batches: 3, rows_written: 25, verified: true });
  });

  it('of an empty table is done and verified without a batch', async () => {
    const made = await backfillSetup(0);
    await made.migrator().up();
    expect(await backfillRow(made.url)).toMatchObject({ cursor: null, batches: 0, verified: true });
  });

  it('whose table ends with a whole batch looks for more and finds nothing', async () => {
    const made = await backfillSetup(20);
    await made.migrator().up();
    expect(await backfillRow(made.url)).toMatchObject({ batches: 2, rows_read: 20, verified: true });
  });

  it('is forgotten when the file is reverted, and begins from the first key when it is applied again', async () => {
    const made = await backfillSetup(30, { down: 'drop table copies;' });
    await made.migrator().up();
    await made.migrator().down();
    expect(await backfillRow(made.url)).toEqual({});
    await made.migrator().up();
    expect([await notOnce(made.url), (await backfillRow(made.url))['rows_written']]).toEqual([[], 30]);
  });

  it('may stand in a Down, and is told apart from the one of the Up', async () => {
    const back = `-- +tombstone backfill table=copies key=id\nupdate items set name = c.name from copies c where items.id = c.id and c.id between $1 and $2;
-- +tombstone verify different\nselect from items join copies using (id) where items.name is distinct from copies.name;\ndrop table copies;`;
    const made = await backfillSetup(30, { down: `alter table copies add primary key (id);\n${back}` });
    await made.migrator().up();
    await rowsOf(made.url, "update copies set name = 'kept' where id = 7");
    await made.migrator().down();
    expect(await rowsOf(made.url, "select id from items where name = 'kept'")).toEqual([{ id: 7 }]);
    expect(await rowsOf(made.url, 'select direction from schema_migration_backfills')).toEqual([
      { direction: 'down' },
    ]);
    await made.migrator().up();
    expect(await rowsOf(made.url, 'select direction from schema_migration_backfills')).toEqual([
      { direction: 'up' },
    ]);
  });
});

describe('the verification of a back-fill', () => {
  const LOSSY = 'insert into copies select id, name from items where id between $1 and $2 and id % 10 > 1;';

  it('says how many rows differ on each side, and never which', async () => {
    const extra = `${LOSSY.slice(0, -1)} union all select -1, 'secret' where $1 = 1;`;
    const made = await backfillSetup(30, { statement: extra });
    const error = await refusal(made.migrator().up());
    expect(error).toBeInstanceOf(BackfillUnverifiedError);
    expect(error).toMatchObject({
      code: 'MIGRATION.BACKFILL_UNVERIFIED',
      file: 'shop/002_copy.sql',
      differences: { missing: 6, unexpected: 1, different: 0 },
    });
    expect(error.message).toContain(
      'shop/002_copy.sql:5: the back-fill is not verified: 6 rows missing, 1 row unexpected.',
    );
    expect(error.message).not.toContain('secret');
    expect(await made.names()).toEqual(['shop/001_items.sql']);
    expect(await backfillRow(made.url)).toMatchObject({ verified: false, cursor: null });
    // What stands behind the verification has not run.
    expect(await rowsOf(made.url, "select obj_description('copies'::regclass) as said")).toEqual([
      { said: null },
    ]);
  });

  it('is made again behind another pass, when the next run comes', async () => {
    const made = await backfillSetup(30, {
      statement: REPEATABLE,
      before: 'create trigger lose before insert on copies for each row execute function lose();',
    });
    await made.migrator().up({ steps: 1 });
    await rowsOf(
      made.url,
      `create function lose() returns trigger language plpgsql as 'begin return case when new.id = 7 then null else new end; end';`,
    );
    const one = { differences: { missing: 1, unexpected: 0, different: 0 } };
    expect(await refusal(made.migrator().up())).toMatchObject(one);
    expect(await refusal(made.migrator().up())).toMatchObject(one);
    await rowsOf(made.url, 'drop trigger lose on copies');
    await made.migrator().up();
    expect(await notOnce(made.url)).toEqual([]);
    expect(await backfillRow(made.url)).toMatchObject({
      passes: 3,
      rows_read: 90,
      rows_written: 30,
      verified: true,
    });
  });

  it('sees both sides in one snapshot, whoever writes between its SELECTs', async () => {
    const waiting = 'select id from items where pg_advisory_xact_lock(1) is null';
    const made = await backfillSetup(5, { verify: `-- +tombstone verify missing\n${waiting};\n${ONCE}` });
    const holder = await connected(made.url);
    await holder.query('select pg_advisory_lock(1)');
    const run = made.migrator({ timeouts: { lockMs: 60_000 } }).up();
    const isWaiting = `select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())`;
    while ((await holder.query(isWaiting)).rows.length === 0) await sleep(10);
    await holder.query('delete from items where id = 3');
    // Seen by a SELECT of its own, the copy has one row too many now.
    const { rows } = await holder.query('select id from copies except select id from items');
    expect(rows).toEqual([{ id: 3 }]);
    await holder.end();
    await run;
    expect(await backfillRow(made.url)).toMatchObject({ verified: true });
  });

  it('cannot write, and names the line of a SELECT that the server refuses', async () => {
    for (const [verify, line] of [
      ["select nextval('counting');", 7],
      ['select id\nfrom nowhere;', 8],
    ] as const) {
      const made = await backfillSetup(5, { verify: `-- +tombstone verify different\n${verify}` });
      await rowsOf(made.url, 'create sequence counting');
      const error = await refusal(made.migrator().up());
      expect([error.code, error.message]).toEqual([
        'MIGRATION.FAILED',
        expect.stringContaining(`shop/002_copy.sql:${line}: `),
      ]);
    }
  });

  it('that finds rows missing asks for another pass, as often as the file says', async () => {
    // Behind the first batch somebody adds a row below the cursor.
    const before = 'create trigger late after insert on copies for each statement execute function late();';
    for (const passes of [1, 2]) {
      const directive = `batch=10 passes=${passes}`;
      const made = await backfillSetup(0, { statement: REPEATABLE, directive, before });
      await made.migrator().up({ steps: 1 });
      await rowsOf(made.url, "insert into items select n, 'n' from generate_series(100, 140) n");
      await rowsOf(
        made.url,
        `create function late() returns trigger language plpgsql as $$ begin insert into items values (3, 'late') on conflict do nothing; return null; end $$`,
      );
      if (passes === 1)
        expect(await refusal(made.migrator().up())).toMatchObject({ differences: { missing: 1 } });
      else await made.migrator().up();
      expect(batchesIn(made.events).at(-1)).toMatchObject({ pass: passes });
    }
  });

  it('takes rows along that are added above the cursor', async () => {
    const before = 'create trigger late after insert on copies for each statement execute function late();';
    const made = await backfillSetup(20, { before });
    await made.migrator().up({ steps: 1 });
    await rowsOf(
      made.url,
      `create function late() returns trigger language plpgsql as $$ begin insert into items values (33, 'late') on conflict do nothing; return null; end $$`,
    );
    await made.migrator().up();
    expect([await notOnce(made.url), await backfillRow(made.url)]).toMatchObject([
      [],
      { cursor: '33', passes: 1 },
    ]);
  });
});

describe('pausing a back-fill', () => {
  it('stops the run behind its batch, and every later one, until it is resumed', async () => {
    const made = await backfillSetup(200, { directive: 'batch=10 throttle=20ms' });
    const beside = new Backfills({ connection: made.url, modules: [made.folder] });
    let pausing: Promise<void> | undefined;
    const run = made.migrator({
      onProgress: (event) => {
        made.events.push(event);
        if (event.type === 'backfill') pausing ??= beside.pause('002');
      },
    });
    const error = await refusal(run.up());
    await pausing;
    expect([error.code, error.file]).toEqual(['MIGRATION.BACKFILL_PAUSED', 'shop/002_copy.sql']);
    expect(error.message).toContain('Run "migrate backfill resume shop/002_copy.sql"');
    const done = batchesIn(made.events).length;
    expect(await backfillRow(made.url)).toMatchObject({
      batches: done,
      rows_read: done * 10,
      verified: false,
    });
    expect(done).toBeLessThan(20);
    expect((await refusal(made.migrator().up())).code).toBe('MIGRATION.BACKFILL_PAUSED');
    expect(await beside.status()).toMatchObject([{ state: 'paused', passRows: done * 10 }]);
    await beside.resume('shop/002_copy.sql');
    await made.migrator().up();
    expect([await notOnce(made.url), await backfillRow(made.url)]).toMatchObject([
      [],
      { batches: 20, passes: 1 },
    ]);
    expect(await beside.status()).toMatchObject([{ state: 'verified' }]);
  });

  it('is refused for a file without a back-fill that is going on', async () => {
    const made = await backfillSetup(5);
    const beside = new Backfills({ connection: made.url, modules: [made.folder] });
    expect(await beside.status()).toEqual([]);
    for (const name of ['001', '002', '009'])
      expect((await refusal(beside.pause(name))).code).toBe('MIGRATION.NO_SUCH_FILE');
    await made.migrator().up();
    expect((await refusal(beside.pause('002'))).message).toContain(
      'no back-fill that is begun and not finished',
    );
  });
});

describe('a batch that fails', () => {
  it('leaves those before it, and the next run goes on behind them', async () => {
    const made = await backfillSetup(50);
    await made.migrator().up({ steps: 1 });
    await rowsOf(made.url, 'update items set name = null where id = 25');
    const text = backfillFile().replace('name text', 'name text not null');
    made.folder.write('002_copy.sql', text);
    const error = await refusal(made.migrator().up());
    expect(error).toMatchObject({ code: 'MIGRATION.FAILED', sqlState: '23502' });
    expect(error.message).toContain('Nothing of this batch is left; 2 batches stay done.');
    expect(error.message).not.toContain('secret');
    await rowsOf(made.url, "update items set name = 'again' where id = 25");
    await made.migrator().up();
    expect([await notOnce(made.url), await backfillRow(made.url)]).toMatchObject([
      [],
      { batches: 5, passes: 1 },
    ]);
  });

  it('begins from the first key when its statement was changed', async () => {
    const made = await backfillSetup(50, {
      statement: COPY.replace('name from', 'name || (1 / (id - 25)) from'),
    });
    expect(await refusal(made.migrator().up())).toMatchObject({ sqlState: '22012' });
    expect(await backfillRow(made.url)).toMatchObject({ cursor: '20' });
    made.change({ statement: 'with gone as (delete from copies where id between $1 and $2) ' + COPY });
    await made.migrator().up();
    expect([await notOnce(made.url), await backfillRow(made.url)]).toMatchObject([
      [],
      { batches: 5, cursor: '50' },
    ]);
  });

  it('is tried again when a lock does not come in time', async () => {
    const made = await backfillSetup(30, {
      statement: COPY.replace('where', 'where pg_advisory_xact_lock(1) is not null and'),
    });
    const holder = await connected(made.url);
    await holder.query('select pg_advisory_lock(1)');
    const run = made.migrator({ timeouts: { lockMs: 30, backOffMs: 10, attempts: 50 } }).up();
    while (!made.events.some((event) => event.type === 'retrying')) await sleep(10);
    await holder.end();
    await run;
    expect(made.events).toContainEqual(expect.objectContaining({ type: 'retrying', sqlState: '55P03' }));
    expect(await notOnce(made.url)).toEqual([]);
  });
});

describe('keys of a back-fill', () => {
  const through = async (
    type: string,
    values: string,
    directive: string,
    table: string,
    key: string,
  ): Promise<number> => {
    const made = await setup({
      '001_t.sql': `-- +goose Up\ncreate schema "Odd place";\ncreate table ${table} (${key} ${type} primary key);\ninsert into ${table} ${values};\ncreate table copies (k text);`,
      '002_copy.sql': `-- +goose NO TRANSACTION\n-- +goose Up\n-- +tombstone backfill ${directive} batch=7\ninsert into copies select ${key}::text from ${table} where ${key} between $1 and $2;
-- +tombstone verify missing\nselect ${key}::text from ${table} except all select k from copies;\n-- +tombstone verify unexpected\nselect k from copies except all select ${key}::text from ${table};\n`,
    });
    await made.migrator().up();
    return (await rowsOf(made.url, 'select from copies')).length;
  };

  it('may be numbers, the lowest included', async () => {
    const values = `select n from generate_series(1, 30) n union all values (-9223372036854775808), (9223372036854775807), (0)`;
    expect(await through('bigint', values, 'table=t key=id', 't', 'id')).toBe(33);
  });

  it('may be UUIDs, the nil one included', async () => {
    const values = `select gen_random_uuid() from generate_series(1, 40) union all values ('00000000-0000-0000-0000-000000000000'::uuid)`;
    expect(await through('uuid', values, 'table=t key=id', 't', 'id')).toBe(41);
  });

  it('may be texts of any collation, the empty one included', async () => {
    const values = `select chr(60 + n) || n from generate_series(1, 60) n union all values (''), ('é'), ('e'), ('Z'), ('a''b\\')`;
    for (const type of ['text', 'varchar(20)', 'text collate "C"', 'text collate "en-x-icu"'])
      expect(await through(type, values, 'table=t key=id', 't', 'id')).toBe(65);
  });

  it('may belong to a table in partitions', async () => {
    const made = await backfillSetup(30);
    const parted = itemsFile(30).replace('name text)', 'name text) partition by range (id)');
    const parts = [1, 16].map(
      (from) => `create table items_${from} partition of items for values from (${from}) to (${from + 15});`,
    );
    made.folder.write('001_items.sql', parted.replace('insert', `${parts.join('\n')}\ninsert`));
    await made.migrator().up();
    expect(await notOnce(made.url)).toEqual([]);
    expect(await backfillRow(made.url)).toMatchObject({ batches: 3, rows_read: 30 });
  });

  it('may have quoted names, in another schema', async () => {
    const table = '"Odd place"."a ""table"""';
    const values = 'select generate_series(1, 20)';
    expect(await through('int', values, `table=${table} key="Its Id"`, table, '"Its Id"')).toBe(20);
  });

  it.each([
    [
      'a part of a key',
      'create table t (id int, other int, primary key (id, other))',
      /not unique by itself/,
    ],
    [
      'a partly unique one',
      'create table t (id int not null); create unique index on t (id) where id > 5',
      /not unique by/,
    ],
    ['one that may be NULL', 'create table t (id int unique)', /may be NULL/],
    ['one without an order of its own', 'create table t (id jsonb primary key)', /is of type jsonb/],
    ['a column that is not there', 'create table t (no int primary key)', /has no column id/],
    ['a table that is not there', 'create table other (id int primary key)', /There is no table t/],
  ])('are refused before the first batch: %s', async (_what, table, problem) => {
    const made = await backfillSetup(5);
    await made.migrator().up({ steps: 1 });
    await rowsOf(made.url, table);
    made.folder.write(
      '002_copy.sql',
      `-- +goose NO TRANSACTION\n-- +goose Up\n-- +tombstone backfill table=t key=id\nupdate t set id = id where id between $1 and $2;\n-- +tombstone verify different\nselect 1 where false;\n`,
    );
    const error = await refusal(made.migrator().up());
    expect([error.code, error.message]).toEqual(['MIGRATION.UNSUPPORTED', expect.stringMatching(problem)]);
    expect(error.message).toMatch(/^shop\/002_copy\.sql:4: /);
    expect(await backfillRow(made.url)).toEqual({});
  });
});
