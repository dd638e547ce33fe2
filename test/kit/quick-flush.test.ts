import { createHash } from 'node:crypto';
import {
  ChangeSetComputer,
  ChangeSetPersister,
  type EventSubscriber,
  OptimisticLockError,
  raw,
  UnitOfWork,
} from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { Cell, Odd, Sample, Versioned } from './fixtures/flush-model.ts';
import { type Flushes, openFlushes } from './fixtures/flush-runs.ts';

let flushes: Flushes;
beforeAll(async () => {
  flushes = await openFlushes({ pool: { min: 0, max: 16 } });
});
beforeEach(() => flushes.reset());
afterAll(() => flushes.orm.close());

/** What a flush of `change` to all samples sends. */
async function sentBy(
  change: (samples: Sample[], em: DataEntityManager) => unknown,
  own = flushes,
): Promise<string[]> {
  const em = own.em();
  const samples = await em.find(Sample, {}, { orderBy: { id: 'asc' } });
  await change(samples, em);
  own.statements();
  await em.flush();
  return own.statements();
}

const retitle = (samples: Sample[]): void => {
  for (const sample of samples) sample.title = `new ${sample.id}`;
};

describe('a flush of plain changes', () => {
  it('is one statement, of the same text for any number of rows above one, and prepared once', async () => {
    const [many, ...more] = await sentBy(retitle);
    expect(more).toEqual([]);
    expect(many).toMatch(
      /^with w as \(update "sample" as "t" set "title" = "u".c0, "updated_at" = now\(\) from unnest/,
    );
    const [few] = await sentBy((samples) => samples.slice(0, 2).forEach((one) => (one.title = 'few')));
    expect(few).toBe(many);
    const [one, ...others] = await sentBy(([first]) => ((first as Sample).title = 'one'));
    expect(others).toEqual([]);
    expect(one).toMatch(/^update "sample" as "t" set "title" = "u".c0/);
    const names = await flushes.rows(
      `select count(*)::int as n from pg_prepared_statements where statement = ?`,
      [many],
    );
    expect(names).toEqual([{ n: 1 }]);
  });

  it('writes each column only in the rows that change it', async () => {
    const [text] = await sentBy((samples) => {
      (samples[0] as Sample).title = 'first';
      (samples[1] as Sample).remark = 'second';
    });
    expect(text).toContain('"title" = case when "u".g0 then "u".c0 else "t"."title" end');
    const found = await flushes.rows(
      'select title, remark from sample where deleted_at is null order by id limit 3',
    );
    expect(found).toEqual([
      { title: 'first', remark: 'remark 1' },
      { title: 'title 2', remark: 'second' },
      { title: 'title 3', remark: 'remark 3' },
    ]);
  });

  it('joins the transaction that is open, and begins one for several classes', async () => {
    const em = flushes.em();
    await em.transactional(async (tx) => {
      retitle(await tx.find(Sample, {}));
      flushes.statements();
      await tx.flush();
      expect(flushes.statements()).toHaveLength(1);
    });
    const sent = await sentBy(async (samples, own) => {
      for (const one of await own.find(Versioned, {})) one.title = 'other';
      for (const one of samples.slice(0, 2)) one.title = 'another';
    });
    expect(sent.map((text) => text.slice(0, 6))).toEqual(['begin', 'with w', 'with w', 'commit']);
  });

  it('takes what a trigger writes, row by row', async () => {
    await flushes.rows(`create function stagger() returns trigger language plpgsql as
      $$ begin new.updated_at := '2001-01-01'::timestamptz + new.id * interval '1 day'; return new; end $$`);
    await flushes.rows(
      'create trigger stagger before update on sample for each row execute function stagger()',
    );
    try {
      const em = flushes.em();
      const samples = await em.find(Sample, {}, { orderBy: { id: 'desc' } });
      retitle(samples);
      await em.flush();
      for (const { id, updatedAt } of samples) {
        expect(updatedAt.toISOString()).toBe(`2001-01-0${1 + Number(id)}T00:00:00.000Z`);
      }
      flushes.statements();
      await em.flush();
      expect(flushes.statements()).toEqual([]);
    } finally {
      await flushes.rows('drop trigger stagger on sample; drop function stagger');
    }
  });

  it('keeps what the program changes while it runs for the next one', async () => {
    const em = flushes.em();
    const samples = await em.find(Sample, {}, { orderBy: { id: 'asc' } });
    const [first] = samples as [Sample];
    retitle(samples);
    first.at = new Date('2024-01-01T00:00:00Z');
    const flushed = em.flush();
    first.title = 'meanwhile';
    first.at.setUTCFullYear(2025);
    await flushed;
    await em.flush();
    const [row] = await flushes.rows('select title, at from sample where id = 1 and deleted_at is null');
    expect(row).toEqual({ title: 'meanwhile', at: expect.stringMatching(/^2025-01-01/) });
  });

  it('undoes all of it when a row is gone, although it runs outside a transaction', async () => {
    const em = flushes.em();
    retitle(await em.find(Sample, {}));
    await flushes.em().nativeDelete(Sample, ['2', '5']);
    await expect(em.flush()).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['2', '5'] });
    const changed = await flushes.rows(
      `select id from sample where title like 'new%' and deleted_at is null`,
    );
    expect(changed).toEqual([]);
    // Outside of it the program hears the same, and of the keys in the transaction too.
    const inside = flushes.em().transactional(async (tx) => {
      retitle(await tx.find(Sample, {}));
      await tx.execute('update sample set deleted_at = now() where id = 3 and deleted_at is null');
      await tx.flush();
    });
    await expect(inside).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW', keys: ['3'] });
  });

  it('changes deleted rows inside skipSoftDelete', async () => {
    await flushes.em().nativeDelete(Sample, '2');
    await flushes.em().skipSoftDelete(async (em) => retitle(await em.find(Sample, {})));
    expect(await flushes.rows(`select id from sample where title not like 'new%'`)).toEqual([]);
  });
});

/** What is left to the core's flush: by the change sets with the statement in arrays, or by the core alone. */
const left: { what: string; change: (samples: Sample[], em: DataEntityManager) => unknown; way: RegExp }[] = [
  {
    what: 'a value that is SQL',
    change: (samples) => samples.forEach((one) => Object.assign(one, { title: raw(`title || '!'`) })),
    way: / case when \("id" = \?\) then /,
  },
  {
    what: 'a new entity',
    change: (samples, em) => {
      retitle(samples);
      em.create(Sample, { title: 'created' } as never, { persist: true });
    },
    way: /^update "sample" as "t" .*returning "t"."id", "t"."updated_at"$/,
  },
  {
    what: 'a removal',
    change: (samples, em) => {
      retitle(samples);
      em.remove(samples.pop() as Sample);
    },
    way: /^update "sample" as "t" .*returning "t"."id", "t"."updated_at"$/,
  },
  {
    what: 'an array',
    change: async (_, em) => (await em.find(Odd, {})).forEach((odd) => (odd.tags = ['x'])),
    way: / case when \("id" = \?\) then /,
  },
  {
    what: 'a type with a function of SQL',
    change: async (_, em) => (await em.find(Odd, {})).forEach((odd) => (odd.shout = 'x')),
    way: / then upper\(\?\) /,
  },
  {
    what: 'a unique value',
    change: async (_, em) => (await em.find(Odd, {})).forEach((odd) => (odd.code = `n${odd.id}`)),
    way: /update "odd"/,
  },
  {
    what: 'a property that the program sets on update',
    change: async (_, em) => (await em.find(Cell, {})).forEach((one) => (one.title = 'x')),
    way: /^update "cell" as "t" set .* where "t"."row" = "u".k0 and "t"."place" = "u".k1/,
  },
];

describe('a flush with more than plain changes', () => {
  it.each(left)("is the core's: $what", async ({ change, way }) => {
    const sent = await sentBy(change);
    expect(sent.filter((text) => way.test(text))).not.toEqual([]);
    expect(sent.filter((text) => text.startsWith('with w as'))).toEqual([]);
    expect(sent[0]).toBe('begin');
  });

  it("is the core's when somebody listens, or when the configuration says so", async () => {
    const seen: number[] = [];
    const listener: EventSubscriber = {
      onFlush: ({ uow }) => void seen.push(uow.getChangeSets().length),
    };
    const own = await openFlushes({ url: flushes.url, subscribers: [listener] });
    const off = await openFlushes({ url: flushes.url, quickFlush: false });
    try {
      expect((await sentBy(retitle, own))[0]).toBe('begin');
      expect(seen).toEqual([6]);
      await flushes.reset();
      expect((await sentBy(retitle, off)).join()).toMatch(/ case when \("id" = \?\) then /);
    } finally {
      await own.orm.close();
      await off.orm.close();
    }
  });
});

describe('many connections', () => {
  it('that flush the same rows in different orders never lock each other out, as by hand they do', async () => {
    await flushes.rows(`insert into sample (title) select 'more' from generate_series(1, 5000)`);
    await flushes.rows('analyze sample');
    const ids = Array.from({ length: 60 }, (_, n) => String(10 + n * 80));
    const ordered = (writer: number): string[] => (writer % 2 === 0 ? ids : ids.toReversed());
    const byHand = async (writer: number): Promise<unknown> =>
      flushes.em().execute(
        `update sample t set title = u.title from unnest(string_to_array(?, ',')::bigint[], string_to_array(?, ',')) u (id, title)
         where t.id = u.id and t.deleted_at is null`,
        [ordered(writer).join(), ids.map(() => `h${writer}`).join()],
      );
    const byFlush = async (writer: number): Promise<unknown> => {
      const em = flushes.em();
      // The identity map, and with it the flush, has the order in which they are asked for.
      for (const id of ordered(writer)) em.getReference(Sample, id);
      await em.find(Sample, { id: { $in: ids } });
      for (const id of ids) em.getReference(Sample, id).title = `f${writer}`;
      return em.flush();
    };
    const refusedOf = async (write: (writer: number) => Promise<unknown>): Promise<number> => {
      const rounds = async (writer: number) => {
        for (let round = 0; round < 12; round += 1) await write(writer);
      };
      const ended = await Promise.allSettled(Array.from({ length: 16 }, (_, writer) => rounds(writer)));
      return ended.filter(({ status }) => status === 'rejected').length;
    };
    // Whether they meet is a matter of luck, more so on an idle machine.
    let [refused, tries] = [0, 0];
    while (refused === 0 && tries < 20) {
      refused = await refusedOf(byHand);
      tries += 1;
    }
    expect(refused).toBeGreaterThan(0);
    for (let again = 0; again < tries; again += 1) expect(await refusedOf(byFlush)).toBe(0);
  }, 120_000);

  it('never lose a change of a version, as the check of the core does, which looks before it writes', async () => {
    const off = await openFlushes({ url: flushes.url, quickFlush: false, pool: { min: 0, max: 16 } });
    const writes = async (own: Flushes): Promise<number> => {
      const em = own.em();
      for (const one of await em.find(Versioned, {})) one.title += '.';
      return em.flush().then(
        () => 1,
        (error: unknown) => {
          expect(error).toBeInstanceOf(OptimisticLockError);
          return 0;
        },
      );
    };
    const lost = async (own: Flushes): Promise<number> => {
      let told = 0;
      for (let round = 0; round < 10; round += 1) {
        const done = await Promise.all(Array.from({ length: 16 }, () => writes(own)));
        told += done.reduce((sum, one) => sum + one, 0);
      }
      const [row] = await flushes.rows<{ title: string }>(
        'select title from versioned where id = 1 and deleted_at is null',
      );
      return told - (row?.title.match(/[.]/g) ?? []).length;
    };
    expect(await lost(off)).toBeGreaterThan(0);
    await off.orm.close();
    await flushes.reset();
    expect(await lost(flushes)).toBe(0);
  }, 60_000);
});

/** The steps of the core that the quick flush stands for. When one of these differs, compare the two and write the new sum. */
const SHAPES: readonly (readonly [object, string, string])[] = [
  [UnitOfWork, 'doCommit', 'a369f2582a27'],
  [UnitOfWork, 'computeChangeSets', 'a606fb143a2e'],
  [UnitOfWork, 'findNewEntities', '8bda1711275b'],
  [UnitOfWork, 'commitUpdateChangeSets', '5a37614551a7'],
  [UnitOfWork, 'persistToDatabase', '3be78f687cf0'],
  [UnitOfWork, 'postCommitCleanup', 'c6c5289f7153'],
  [UnitOfWork, 'takeCollectionSnapshots', 'c68a77983474'],
  [UnitOfWork, 'getCommitOrder', '9e1392291421'],
  [ChangeSetComputer, 'computeChangeSet', '8ace0f331e86'],
  [ChangeSetComputer, 'computePayload', '2828b5dd3a83'],
  [ChangeSetPersister, 'persistManagedEntitiesBatch', '23e0f2fcdc77'],
  [ChangeSetPersister, 'mapReturnedValues', '614077103e74'],
  [PostgreSqlDriver, 'nativeUpdateMany', '83962fb976c1'],
];

it.each(SHAPES)('the core has the step that the quick flush stands for: %p %s', (owner, step, sum) => {
  const method = (owner as { prototype: Record<string, () => unknown> }).prototype[step];
  expect(createHash('sha256').update(String(method)).digest('hex').slice(0, 12)).toBe(sum);
});
