import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineEntity, MikroORM } from '@mikro-orm/postgresql';
import {
  bigintId,
  type DataEntityManager,
  defineDataConfig,
  defineModule,
  liveSql,
  runPrepared,
  softDelete,
} from 'tombstone';
import { rowReader, scopedStatement } from '../../src/kit/orm/index.ts';
import { PostgresNamingStrategy } from '../../src/kit/orm/naming-strategy.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book, Publisher } from './fixtures/library-model.ts';

let library: Library;
beforeAll(async () => {
  library = await openLibrary({ pool: { min: 0, max: 1 } });
  await library.reset();
});
afterAll(() => library.close());

const NAMED = { name: 'kit_named', text: 'select $1::int + $2::int + $1::int as sum' };
const namesIn = async (em: DataEntityManager): Promise<string[]> => {
  const rows = await em.execute<{ name: string }[]>(
    `select name from pg_prepared_statements where name like 'kit_%' order by name`,
  );
  return rows.map((row) => row.name);
};

describe('a prepared statement', () => {
  it('is prepared once for normal code and transactions, on the connection of the transaction', async () => {
    const em = library.em();
    await em.transactional(async (tx) => {
      expect(await runPrepared(tx, NAMED, [1, 2])).toEqual([{ sum: 4 }]);
      // The pool has one connection, and the transaction holds it.
      expect(await namesIn(tx)).toEqual(['kit_named']);
    });
    expect(await runPrepared(em, NAMED, [3, 4])).toEqual([{ sum: 10 }]);
    expect(await namesIn(em)).toEqual(['kit_named']);
    const [counted] = await em.execute<{ calls: string }[]>(
      `select generic_plans + custom_plans as calls from pg_prepared_statements where name = 'kit_named'`,
    );
    expect(counted?.calls).toBe('2');
  });

  it('sees what its transaction has written, and fails with it', async () => {
    const titles = {
      name: 'kit_titles',
      text: 'select title from book where deleted_at is null and id = $1',
    };
    const attempt = library.em().transactional(async (tx) => {
      await tx.nativeUpdate(Book, { id: '1' }, { title: 'Omega' });
      expect(await runPrepared(tx, titles, ['1'])).toEqual([{ title: 'Omega' }]);
      await runPrepared(tx, { name: 'kit_fails', text: 'select 1 / $1::int' }, [0]);
    });
    await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/./) });
    expect(await runPrepared(library.em(), titles, ['1'])).toEqual([{ title: 'Alpha' }]);
  });

  it('is in the log by its text, and by its values only where these are asked for', async () => {
    library.statements();
    await runPrepared(library.em(), NAMED, [5, 6]);
    expect(library.statements()).toEqual([expect.stringMatching(/^select \$1::int .* as sum \[took/)]);
    const log: string[] = [];
    const own = await openLibrary({
      url: library.url,
      debug: ['query', 'query-params'],
      logger: (message) => log.push(message),
    });
    await runPrepared(own.em(), { name: 'kit_json', text: `select '{"a":1}'::jsonb ? $1 as has` }, ['a']);
    expect(log.at(-1)).toContain(`select '{"a":1}'::jsonb ? 'a' as has`);
    const list = { name: 'kit_list', text: 'select $1::text[] as texts, $2::timestamptz[] as instants' };
    await runPrepared(own.em(), list, [['NULL', null], [new Date(0)]]);
    // As PostgreSQL reads lists, so that the statement can be sent again by hand.
    const shown = `select '{"NULL",NULL}'::text[] as texts, '{"1970-01-01T00:00:00.000Z"}'::timestamptz[] as instants`;
    expect(log.at(-1)).toContain(shown);
    await own.close();
  });

  it('goes on after a migration has changed the type of its column, and a transaction does so when it is repeated', async () => {
    const text = 'select minutes from shape where minutes = $1';
    await library.rows('create table shape as select 1::int as minutes');
    const read = (em: DataEntityManager) => runPrepared(em, { name: 'kit_shape', text }, [1]);
    expect(await read(library.em())).toEqual([{ minutes: 1 }]);
    await library.rows('alter table shape alter column minutes type bigint');
    // Without a new name it would fail for as long as the connection lives.
    const stale = `execute kit_shape(1)`;
    await expect(library.rows(stale)).rejects.toMatchObject({ sqlState: '0A000' });
    expect(await read(library.em())).toEqual([{ minutes: '1' }]);
    await library.rows('alter table shape alter column minutes type numeric');
    const inside = () => library.em().transactional(read);
    await expect(inside()).rejects.toMatchObject({ sqlState: '0A000' });
    expect(await inside()).toEqual([{ minutes: '1' }]);
    await library.rows('drop table shape');
  });

  it('follows the scope where it is made to', async () => {
    const statement = scopedStatement(
      'kit_scoped',
      (visible) => `select title from book b where ${visible(Book, 'b')} order by title`,
    );
    const read = async (em: DataEntityManager) =>
      (await runPrepared<{ title: string }>(em, statement(), [])).map((row) => row.title).join();
    expect(await read(library.em())).toBe('Alpha,Delta,Gamma');
    expect(await library.em().skipSoftDelete(read)).toBe('Alpha,Beta,Delta,Gamma');
    expect(await library.em().withDeleted(read)).toBe('Alpha,Beta,Delta,Gamma');
    expect(await library.em().onlyDeleted(read)).toBe('Beta');
  });
});

it('a scoped statement has the names of the ORM that was started last, as liveSql has', async () => {
  const LeafSchema = defineEntity({
    name: 'Leaf',
    properties: { id: bigintId(), ...softDelete.properties() },
  });
  class Leaf extends LeafSchema.class {}
  LeafSchema.setClass(Leaf);
  softDelete.register(Leaf);
  const model = defineModule({ name: 'leaves', migrations: '/nowhere', entities: [Leaf] });
  const statement = scopedStatement(
    'kit_leaves',
    (visible) => `select id from leaf l where ${visible(Leaf, 'l')}`,
  );
  class Shouting extends PostgresNamingStrategy {
    override propertyToColumnName(name: string): string {
      return super.propertyToColumnName(name).toUpperCase();
    }
  }
  for (const namingStrategy of [PostgresNamingStrategy, Shouting, PostgresNamingStrategy]) {
    const options = defineDataConfig({ clientUrl: library.url, modules: [model], namingStrategy });
    const orm = await MikroORM.init(options);
    for (let n = 0; n < 2; n += 1) expect(statement().text).toContain(liveSql(Leaf, 'l'));
    await orm.close();
  }
});

describe('a reader of rows', () => {
  it('gives the properties as the ORM gives them, and a relation by its id', async () => {
    const [book, author] = [rowReader(Book, 'b'), rowReader(Author, 'a', ['name'])];
    const sql = `select ${book.columns}, ${author.columns} from book b
      left join author a on a.id = b.author_id and a.deleted_at is null where b.deleted_at is null order by b.id`;
    const rows = await library.em().execute<Record<string, unknown>[]>(sql);
    expect(rows.map((row) => [book.read(row)?.title, author.read(row)])).toEqual([
      ['Alpha', { id: '1', name: 'Ada' }],
      ['Gamma', undefined],
      ['Delta', { id: '1', name: 'Ada' }],
    ]);
    const gamma = rows[1] && book.read(rows[1]);
    expect(gamma).toMatchObject({ id: '3', author: { id: '2' }, publisher: { id: '2' }, deletedAt: null });
  });

  it('converts instants, and leaves out what is no column of the row', async () => {
    const publisher = rowReader(Publisher, 'p');
    expect(publisher.columns).not.toMatch(/address|books/);
    await library.em().execute(`set time zone 'Asia/Kolkata'`);
    const [row] = await library
      .em()
      .execute<Record<string, unknown>[]>(
        `select ${publisher.columns} from publisher p where p.id = 1 and deleted_at is null`,
      );
    const managed = await library.em().findOneOrFail(Publisher, '1');
    expect(row && publisher.read(row)?.createdAt).toEqual(managed.createdAt);
    await library.em().execute('reset time zone');
  });
});
