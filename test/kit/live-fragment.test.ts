import { defineEntity, MikroORM, p, raw, sql } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  bigintId,
  type DataEntityManager,
  defineDataConfig,
  defineModule,
  live,
  liveSql,
  runPrepared,
  softDelete,
} from 'tombstone';
import { emptyTestDatabase } from '../support/database.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Address, Author, Book, Loan, Medium, Recording } from './fixtures/library-model.ts';
import { run, select } from './fixtures/kysely-probes.ts';
import { ALL, LIVE, titles } from './fixtures/probe.ts';

const OddSchema = defineEntity({
  name: 'Odd',
  tableName: 'odd "one"?',
  properties: { id: bigintId(), deletedAt: softDelete.properties().deletedAt.fieldName('gone "at"?') },
});
class Odd extends OddSchema.class {}
OddSchema.setClass(Odd);
softDelete.register(Odd);

const WRONG_SCOPE = { name: 'SoftDeleteError', code: 'SOFT_DELETE.WRONG_SCOPE' };

let library: Library;
beforeAll(async () => {
  library = await openLibrary();
  await library.reset();
});
afterAll(() => library.close());

/** Every way in which a fragment reaches a statement; each answers titles of books. */
const ways: Record<string, (em: DataEntityManager) => Promise<object[]>> = {
  'em.execute': (em) => em.execute<object[]>(sql`select * from book b where ${live(Book, 'b')}`),
  'em.execute with values before and after it': (em) =>
    em.execute<object[]>(sql`select * from book b where b.id > ${0} and ${live(Book, 'b')} and b.id < ${99}`),
  'em.execute by the name of the table': (em) =>
    em.execute<object[]>(sql`select * from book where ${live(Book)}`),
  'em.execute with a list of values': (em) =>
    em.execute<object[]>('select * from book b where b.id > ? and ?', [0, live(Book, 'b')]),
  raw: (em) => em.execute<object[]>(raw('select * from book b where :live', { live: live(Book, 'b') })),
  'connection.execute': (em) =>
    em.getConnection().execute(sql`select * from book b where ${live(Book, 'b')}`),
  'a condition of the query builder': (em) =>
    em.createQueryBuilder(Book, 'b').where(live(Book, 'b')).getResultList(),
  'a sub-query in the query builder': (em) =>
    em
      .createQueryBuilder(Book, 'b')
      .where(sql`exists (select 1 from book x where x.id = b.id and ${live(Book, 'x')})`)
      .getResultList(),
  'a condition of find': (em) =>
    em.find(Book, { [sql`b0.id in (select id from book x where ${live(Book, 'x')})`]: [] }),
  'a condition of Kysely': (em) =>
    run(select(em.getKysely(), ['selectFrom', 'book as b'], ['selectAll'], ['where', live(Book, 'b')])),
};

describe('live', () => {
  it.each(Object.entries(ways))('in %s shows what the scope shows', async (_, read) => {
    expect(titles(await read(library.em()))).toBe(LIVE);
    expect(titles(await library.em().withDeleted(read))).toBe(ALL);
    expect(titles(await library.em().skipSoftDelete(read))).toBe(ALL);
    expect(titles(await library.em().onlyDeleted(read))).toBe('Beta');
  });

  it('in the ON of a join keeps the owner of a dead target', async () => {
    const rows = await library
      .em()
      .execute<object[]>(
        sql`select b.title, a.name from book b left join author a on a.id = b.author_id and ${live(Author, 'a')} where b.id = ${3} and ${live(Book, 'b')}`,
      );
    expect(rows).toEqual([{ title: 'Gamma', name: null }]);
  });

  it('in an update keeps to live rows', async () => {
    const update = sql`update book set title = title where ${live(Book)} and id in (${1}, ${2})`;
    expect(await library.em().execute(update, [], 'run')).toMatchObject({ affectedRows: 1 });
  });

  it('names the table of a hierarchy', async () => {
    for (const entity of [Medium, Recording]) {
      const rows = await library
        .em()
        .execute<object[]>(sql`select * from medium where ${live(entity)} and kind = ${'recording'}`);
      expect(rows).toHaveLength(1);
    }
  });

  it.each([Loan, Address])('refuses %p, which has no dead rows', (entity) => {
    const refusal = {
      name: 'SoftDeleteError',
      code: 'SOFT_DELETE.NOT_SOFT_DELETABLE',
      message: expect.stringContaining(entity.name),
    };
    expect(() => live(entity)).toThrow(expect.objectContaining(refusal));
    expect(() => liveSql(entity)).toThrow(expect.objectContaining(refusal));
  });

  it('made in one scope is refused in another, and after its end', async () => {
    const outside = live(Book, 'b');
    const count = (em: DataEntityManager, fragment = outside) =>
      em.execute<object[]>(sql`select * from book b where ${fragment}`);
    expect(await count(library.em())).toHaveLength(3);
    await expect(library.em().withDeleted((em) => count(em))).rejects.toMatchObject(WRONG_SCOPE);
    const inside = await library.em().skipSoftDelete(async () => live(Book, 'b'));
    await expect(count(library.em(), inside)).rejects.toMatchObject(WRONG_SCOPE);
    await expect(library.em().skipSoftDelete((em) => count(em, inside))).rejects.toMatchObject(WRONG_SCOPE);
    expect(() => select(library.em().getKysely(), ['selectFrom', 'book as b'], ['where', inside])).toThrow(
      expect.objectContaining(WRONG_SCOPE),
    );
  });
});

describe('liveSql', () => {
  const byTitle = {
    name: 'live_sql_book',
    text: `select title from book b where ${liveSql(Book, 'b')} and title <> $1`,
  };

  it('means live rows in every scope, because the text of a prepared statement is a constant', async () => {
    const read = (em: DataEntityManager) => runPrepared<{ title: string }>(em, byTitle, ['']);
    expect(titles(await read(library.em()))).toBe(LIVE);
    expect(titles(await library.em().withDeleted(read))).toBe(LIVE);
    expect(await library.em().skipSoftDelete(async () => liveSql(Book, 'b'))).toBe(liveSql(Book, 'b'));
  });
});

describe('of an entity that hides rows by a relation', () => {
  const letter = defineEntity({
    name: 'Letter',
    properties: { id: bigintId(), book: () => p.manyToOne(Book), ...softDelete.properties() },
  });
  class Letter extends letter.class {}
  letter.setClass(Letter);
  softDelete.register(Letter);
  softDelete.deadTargets(Letter, { book: 'hide' });

  it('the text is refused before an ORM has started, which alone knows where the relation leads', () => {
    expect(() => liveSql(Letter)).toThrow(/^Letter hides rows by a relation.*Make the text after that\.$/);
  });
});

describe('names that need quotes', () => {
  it('are known before an ORM has started, and the same afterwards', async () => {
    const early = liveSql(Odd);
    expect(early).toBe('"odd ""one""?"."gone ""at""?" is null');
    const odd = defineModule({ name: 'odd', migrations: '/nowhere', entities: [Odd] });
    const orm = await MikroORM.init(
      defineDataConfig({ clientUrl: (await emptyTestDatabase()).url, modules: [odd] }),
    );
    await orm.em.fork()
      .execute(`create table "odd ""one""?" (id bigserial primary key, "gone ""at""?" timestamptz);
      insert into "odd ""one""?" ("gone ""at""?") values (null), (now())`);
    const rows = (em: DataEntityManager) =>
      em.execute<object[]>(sql`select * from "odd ""one""\\?" x where ${live(Odd, 'x')} and id > ${0}`);
    const em = orm.em.fork() as unknown as DataEntityManager;
    expect(liveSql(Odd)).toBe(early);
    expect(await rows(em)).toEqual([expect.objectContaining({ id: '1' })]);
    expect(await em.onlyDeleted(rows)).toEqual([expect.objectContaining({ id: '2' })]);
    await orm.close();
  });
});
