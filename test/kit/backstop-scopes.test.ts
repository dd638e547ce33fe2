import { TransactionPropagation } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataEntityManager } from 'tombstone';
import { backstopMigration } from 'tombstone/migrations';
import { backstopTables } from '../../src/kit/orm/index.ts';
import { connect } from './fixtures/backstop.ts';
import { type Library, openLibrary } from './fixtures/library.ts';
import { Author, Book, Copy, Loan, Medium, Shelf, Volume } from './fixtures/library-model.ts';

const ON = `set local tombstone.skip_soft_delete = 'on'`;
const OFF = `set local tombstone.skip_soft_delete = 'off'`;
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: Error & { code?: string }) => error.code ?? error.message,
  );
const REFUSED = 'DATA.BACKSTOP';
/** Raw SQL, which nothing but the database can refuse. */
const purge = (em: DataEntityManager, id = 1) => em.execute(`delete from volume where id = ${id}`);
const touch = (em: DataEntityManager) => em.execute(`update volume set title = 'x' where id = 2`);

/** Every statement that reaches the server from this process, the layer's own included. */
const wire: string[] = [];
const { query } = Client.prototype;

let library: Library;
let outside: Client;
let triggers: readonly string[];
beforeAll(async () => {
  // Before the first connection is made, since the layer keeps what it finds there.
  Client.prototype.query = function (this: Client, ...args: unknown[]) {
    const [first] = args as [string | { text: string }];
    wire.push(typeof first === 'string' ? first : first.text);
    return (query as (...all: unknown[]) => unknown).apply(this, args);
  } as never;
  library = await openLibrary({ backstop: true, pool: { max: 12 }, unwatched: true });
  outside = await connect(library.url);
  const { up } = backstopMigration(backstopTables(library.orm.getMetadata() as never));
  triggers = up;
  for (const sql of up) await outside.query(sql);
});
beforeEach(() => library.reset());
afterAll(async () => {
  Client.prototype.query = query;
  await outside.end();
  await library.close();
});

describe('outside skipSoftDelete', () => {
  it('raw SQL is refused by the database, in a typed error that names the table', async () => {
    expect(triggers.length).toBeGreaterThan(10);
    expect(await codeOf(purge(library.em()))).toBe(REFUSED);
    expect(await codeOf(touch(library.em()))).toBe(REFUSED);
    const error = await purge(library.em()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      name: 'BackstopError',
      status: 500,
      retryable: false,
      sqlState: 'TS001',
      table: 'volume',
    });
    expect(String(error)).toMatch(
      /remove a row .* skipSoftDelete.*\(table public\.volume, SQLSTATE TS001\)/s,
    );
    expect(await library.stateOf('volume', 1)).toBe('live');
  });

  it.each(['withDeleted', 'onlyDeleted'] as const)('so it is in %s', async (scope) => {
    expect(await codeOf(library.em()[scope]((em) => purge(em as DataEntityManager)))).toBe(REFUSED);
  });

  it('soft deletes, flushes and transactions work, and send not one statement more', async () => {
    const plain = await openLibrary({ url: library.url, unwatched: true });
    const work = async ({ em, reset }: Library): Promise<string[]> => {
      await reset();
      await em().count(Volume);
      wire.length = 0;
      const own = em();
      own.remove(await own.findOneOrFail(Volume, '1'));
      (await own.findOneOrFail(Volume, '3')).title = 'new';
      await own.flush();
      await own.getRepository(Copy).softDelete('1');
      await own.transactional((tx) => tx.nativeDelete(Shelf, { room: 'A', number: 1 }));
      await own.withDeleted((all) => all.count(Book));
      await own.transactional((tx) => tx.onlyDeleted((trash) => trash.find(Book, {})));
      return wire.splice(0);
    };
    const sent = await work(library);
    expect(sent.length).toBeGreaterThan(8);
    expect(sent).toEqual(await work(plain));
    expect(await library.stateOf('volume', 1)).toBe('dead');
    wire.length = 0;
    await library.em().skipSoftDelete((em) => em.count(Book));
    expect(wire).toContain(ON);
    await plain.close();
  });

  it('a flush that meets a row which dies in between answers as ever', async () => {
    const em = library.em();
    const volume = await em.findOneOrFail(Volume, '1');
    volume.title = 'late';
    let flushed: Promise<unknown> | undefined;
    await library.em().transactional(async (tx) => {
      await tx.nativeDelete(Volume, '1');
      flushed = codeOf(em.flush());
      await waitsForLock(outside);
    });
    expect(await flushed).toBe('DATA.SOFT_DELETED_ROW');
    // Without the predicate it is the backstop that answers, so the two did meet.
    let raw: Promise<unknown> | undefined;
    await library.em().transactional(async (tx) => {
      await tx.nativeDelete(Volume, '3');
      raw = codeOf(library.em().execute(`update volume set title = 'late' where id = 3`));
      await waitsForLock(outside);
    });
    expect(await raw).toBe(REFUSED);
  });
});

async function waitsForLock(client: Client): Promise<void> {
  for (;;) {
    const { rowCount } = await client.query(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if ((rowCount ?? 0) > 0) return;
  }
}

describe('in skipSoftDelete', () => {
  it('without backstop: true, the database refuses what it is not told about', async () => {
    const plain = await openLibrary({ url: library.url, unwatched: true });
    expect(await codeOf(plain.em().getRepository(Volume).hardDelete('1'))).toBe(REFUSED);
    expect(await codeOf(plain.em().getRepository(Volume).restoreByKey('2'))).toBe(REFUSED);
    expect(await library.stateOf('volume', 1)).toBe('live');
    await plain.close();
  });

  it('work that fails in a transaction which is open is not stored by half, also when that is caught', async () => {
    const purgeAndFail = async (em: DataEntityManager) => {
      await purge(em);
      throw new Error('no');
    };
    const caught = library.em().transactional(async (tx) => {
      await tx.skipSoftDelete(purgeAndFail).catch(() => undefined);
    });
    expect(await codeOf(caught)).toBe('DATA.ROLLED_BACK');
    expect(await library.stateOf('volume', 1)).toBe('live');

    const nested = { propagation: TransactionPropagation.NESTED };
    await library.em().transactional(async (tx) => {
      await tx.transactional((own) => own.skipSoftDelete(purgeAndFail), nested).catch(() => undefined);
      await tx.nativeUpdate(Volume, '3', { title: 'kept' });
    });
    expect(await library.stateOf('volume', 1)).toBe('live');
    expect(await library.rows('select title from volume where id = 3')).toEqual([{ title: 'kept' }]);
    await library.em().transactional((tx) => tx.skipSoftDelete((em) => purge(em)));
    expect(await library.stateOf('volume', 1)).toBe('gone');
  });

  it('raw SQL, Kysely, the query builder, native verbs and a flush remove and change dead rows', async () => {
    await library.em().skipSoftDelete(async (em) => {
      await touch(em);
      await purge(em, 1);
      const kysely = em.getKysely() as never as {
        deleteFrom(table: string): { where(...args: unknown[]): { execute(): Promise<unknown> } };
      };
      await kysely.deleteFrom('award').where('id', '=', 2).execute();
      await em.createQueryBuilder(Volume).delete({ id: '3' }).execute();
      await em.nativeUpdate(Author, { id: '4' }, { name: 'Dora' });
      em.remove(await em.findOneOrFail(Medium, '2'));
    });
    const [author] = await library.rows<{ name: string }>('select name from author where id = 4');
    expect(author?.name).toBe('Dora');
    expect(await library.rows('select id::text from volume')).toEqual([{ id: '2' }]);
    expect(await library.stateOf('award', 2)).toBe('gone');
    expect(await library.stateOf('medium', 2)).toBe('gone');
  });

  it('the repository restores and removes by key, in and outside a transaction', async () => {
    const volumes = library.em().getRepository(Volume);
    expect(await volumes.restoreByKey('2')).toBe(true);
    expect(await volumes.hardDelete('1')).toBe(true);
    await library.em().transactional(async (em) => {
      const [shelf] = await em.onlyDeleted((trash) => trash.find(Shelf, {}));
      expect(await em.getRepository(Shelf).restore(shelf as never)).toBe(true);
      expect(await em.getRepository(Loan).hardDelete('2')).toBe(true);
      expect(await em.getRepository(Copy).hardDelete('2')).toBe(true);
    });
    expect(await library.stateOf('volume', 2)).toBe('live');
    expect(await library.stateOf('copy', 2)).toBe('gone');
  });

  it('a stream is told before it begins', async () => {
    await library.em().skipSoftDelete(async (em) => {
      const sql = 'with d as (delete from volume returning id) select id from d';
      const found: unknown[] = [];
      for await (const row of em.getConnection().stream(sql, [], em.getTransactionContext())) found.push(row);
      expect(found).toHaveLength(3);
    });
    await library.reset();
    const stream = async () => {
      const sql = 'with d as (delete from volume returning id) select id from d';
      for await (const _ of library.em().getConnection().stream(sql)) void _;
    };
    expect(await codeOf(stream())).toBe(REFUSED);
  });

  it('runs in one transaction: what a scope has done before it fails is taken back', async () => {
    const failed = library.em().skipSoftDelete(async (em) => {
      await purge(em);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect(await library.stateOf('volume', 1)).toBe('live');
    library.statements();
    await library.em().skipSoftDelete(async (em) => {
      await em.count(Volume);
      await purge(em);
    });
    expect(library.statements().map((line) => line.replace(/ \[took.*/, '').slice(0, 44))).toEqual([
      'begin',
      ON.slice(0, 44),
      expect.stringMatching(/^select count/),
      expect.stringMatching(/^delete from volume/),
      'commit',
    ]);
  });
});

describe('a scope in a transaction', () => {
  it('joins it and is over at its end', async () => {
    await library.em().transactional(async (em) => {
      await em.skipSoftDelete((own) => purge(own, 1));
      const savepoint = em.transactional((inner) => purge(inner, 2), {
        propagation: TransactionPropagation.NESTED,
      });
      expect(await codeOf(savepoint)).toBe(REFUSED);
      await em.skipSoftDelete((own) => purge(own, 3));
    });
    expect(await library.rows('select id::text from volume')).toEqual([{ id: '2' }]);
  });

  it('is over also when its work has failed, in the program or in the database', async () => {
    const nested = { propagation: TransactionPropagation.NESTED };
    await library.em().transactional(async (em) => {
      const inProgram = em.transactional((inner) => {
        return inner.skipSoftDelete(async (own) => {
          await purge(own);
          throw new Error('no');
        });
      }, nested);
      await expect(inProgram).rejects.toThrow('no');
      expect(await codeOf(em.transactional((inner) => purge(inner, 2), nested))).toBe(REFUSED);
      const inDatabase = em.transactional(
        (inner) => inner.skipSoftDelete((own) => own.execute('select 1 / 0')),
        nested,
      );
      expect(await codeOf(inDatabase)).toBe('DATA.INVALID');
      expect(await codeOf(em.transactional((inner) => purge(inner, 2), nested))).toBe(REFUSED);
    });
  });

  it('is over also after a savepoint that was set inside it is rolled back to outside', async () => {
    await library.em().transactional(async (em) => {
      await em.skipSoftDelete(async (own) => {
        await own.execute('savepoint inside');
        expect(await codeOf(own.execute('select 1 / 0'))).toBe('DATA.INVALID');
      });
      await em.execute('rollback to savepoint inside');
      expect(await em.execute(`select current_setting('tombstone.skip_soft_delete') as value`)).toEqual([
        { value: 'off' },
      ]);
      await em.execute('savepoint again');
      expect(await codeOf(purge(em))).toBe(REFUSED);
      await em.execute(' /* undo */ rollback to savepoint again');
      await em.skipSoftDelete((own) => purge(own));
    });
    expect(await library.stateOf('volume', 1)).toBe('gone');
  });

  it('is over also after a savepoint of its own has brought its setting back', async () => {
    const whole = library.em().transactional(async (em) => {
      await em.skipSoftDelete((own) => own.execute('savepoint inside'));
      await em.execute('select 1');
      await em.execute('rollback to savepoint inside');
      expect(await codeOf(purge(em))).toBe(REFUSED);
    });
    expect(await codeOf(whole)).toBe('DATA.ROLLED_BACK');
  });

  it('that the database has failed is the end of the transaction, also when the error was caught', async () => {
    const caught = library.em().transactional(async (em) => {
      expect(await codeOf(em.skipSoftDelete((own) => own.execute('select 1 / 0')))).toBe('DATA.INVALID');
    });
    expect(await codeOf(caught)).toBe('DATA.ROLLED_BACK');
    expect(await codeOf(purge(library.em()))).toBe(REFUSED);
  });

  it('goes on after a savepoint inside it was rolled back', async () => {
    await library.em().skipSoftDelete(async (em) => {
      const failed = em.transactional((inner) => inner.execute('select 1 / 0'), {
        propagation: TransactionPropagation.NESTED,
      });
      expect(await codeOf(failed)).toBe('DATA.INVALID');
      await purge(em);
    });
    expect(await library.stateOf('volume', 1)).toBe('gone');
  });

  it.each(['withDeleted', 'onlyDeleted'] as const)('is guarded again in a %s inside it', async (scope) => {
    await library.em().skipSoftDelete(async (em) => {
      await purge(em, 1);
      const nested = { propagation: TransactionPropagation.NESTED };
      const inner = em.transactional(
        (own) => own[scope]((all) => purge(all as DataEntityManager, 3)),
        nested,
      );
      expect(await codeOf(inner)).toBe(REFUSED);
      await purge(em, 3);
    });
    expect(await library.rows('select id::text from volume')).toEqual([{ id: '2' }]);
  });

  it('does not lend its right to work that runs beside it on the same connection', async () => {
    await library.em().transactional(async (em) => {
      const setting = () => em.execute<{ value: string }[]>(SHOW).then(([row]) => row?.value);
      const inside = em.skipSoftDelete(async (own) => {
        const seen: unknown[] = [];
        for (let n = 0; n < 20; n++) seen.push((await own.execute<{ value: string }[]>(SHOW))[0]?.value);
        return seen;
      });
      const beside: unknown[] = [];
      for (let n = 0; n < 20; n++) beside.push(await setting());
      expect(new Set(await inside)).toEqual(new Set(['on']));
      expect(new Set(beside.map((value) => value === 'on'))).toEqual(new Set([false]));
    });
  });

  it('is over for what it has left running', async () => {
    const whole = library.em().transactional(async (em) => {
      let end = (): void => undefined;
      const ended = new Promise<void>((resolve) => (end = resolve));
      const late = await em.skipSoftDelete(async (own) => {
        const [connection, ctx] = [own.getConnection(), own.getTransactionContext()];
        const left = ended.then(() => connection.execute('delete from volume', [], 'run', ctx));
        return { code: codeOf(left) };
      });
      end();
      expect(await late.code).toBe(REFUSED);
    });
    expect(await codeOf(whole)).toBe('DATA.ROLLED_BACK');
    expect(await library.stateOf('volume', 1)).toBe('live');
  });

  it('is put back before COMMIT, where deferred triggers run', async () => {
    library.statements();
    await library.em().transactional((em) => em.skipSoftDelete((own) => purge(own)));
    const sent = library.statements().map((line) => line.replace(/ \[took.*/, ''));
    expect(sent.slice(-2)).toEqual([OFF, 'commit']);
  });
});

const SHOW = `select current_setting('tombstone.skip_soft_delete', true) as value`;

it('never reaches another transaction of the pool, with 32 callers at once', async () => {
  await library.rows(`insert into volume (id, title, series_id)
    select n, 'v', 1 from generate_series(1000, 1031) n`);
  const callers = Array.from({ length: 32 }, async (_, index) => {
    const id = 1000 + index;
    if (index % 2 === 0) {
      await library.em().skipSoftDelete(async (em) => {
        await em.execute('select pg_sleep(0.01)');
        await purge(em, id);
      });
      return index % 4 === 0 ? codeOf(purge(library.em(), id + 1)) : REFUSED;
    }
    return codeOf(
      library.em().transactional(async (em) => {
        await em.execute('select pg_sleep(0.005)');
        await purge(em, id);
      }),
    );
  });
  expect(new Set(await Promise.all(callers))).toEqual(new Set([REFUSED]));
  const left = await library.rows<{ id: string }>('select id::text from volume where id >= 1000 order by id');
  expect(left.map(({ id }) => Number(id) % 2)).toEqual(Array.from({ length: 16 }, () => 1));
});
