import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';
import { SoftDeletedRowError } from 'tombstone';
import { Sample } from './fixtures/flush-model.ts';
import { type Flushes, openFlushes } from './fixtures/flush-runs.ts';

let flushes: Flushes;
beforeAll(async () => {
  flushes = await openFlushes({ pool: { min: 0, max: 16 } });
});
beforeEach(() => flushes.reset());
afterAll(() => flushes.orm.close());

const ROWS = 40;
const ids = Array.from({ length: ROWS }, (_, n) => String(n + 1));

interface State {
  readonly title: string;
  readonly remark: string | null;
  readonly isDead: boolean;
}
type Table = Record<string, State>;

const plant = (dead: ReadonlySet<string>) =>
  flushes.rows(
    `truncate sample restart identity cascade;
     insert into sample (title, remark, amount, deleted_at)
     select 'title ' || n, null, 0, case when n::text = any ('{${[...dead].join(',')}}'::text[]) then now() end
     from generate_series(1, ${ROWS}) n`,
  );

async function stored(): Promise<Table> {
  const rows = await flushes.rows<{ id: string } & State>(
    `select id::text, title, remark, deleted_at is not null as "isDead" from sample`,
  );
  return Object.fromEntries(rows.map(({ id, ...state }) => [id, state]));
}

interface Change {
  readonly id: string;
  readonly title?: string;
  readonly remark?: string | null;
}

/** What the statement promises, in a dozen lines: the rows afterwards, and the changes that were written. */
function modelled(
  table: Table,
  changes: readonly Change[],
  missing: 'refuse' | 'skip',
): [Table, Change[] | string[]] {
  const there = changes.filter(({ id }) => table[id]?.isDead === false);
  const gone = changes.filter(({ id }) => table[id]?.isDead !== false).map(({ id }) => id);
  if (missing === 'refuse' && gone.length > 0) return [table, gone];
  const after = { ...table };
  for (const { id, ...change } of there) after[id] = { ...(table[id] as State), ...change };
  return [after, there];
}

const text = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((one) => !one.includes('\0'));
const properties = fc.constantFrom<readonly string[]>(['title'], ['remark'], ['title', 'remark']);
/** Some beyond the end of the table. */
const keys = fc.uniqueArray(fc.integer({ min: 1, max: ROWS + 3 }).map(String), {
  minLength: 1,
  maxLength: 20,
});
const changes = fc.tuple(keys, properties).chain(([own, names]) =>
  fc.tuple(
    ...own.map((id) =>
      fc.record({
        id: fc.constant(id),
        ...(names.includes('title') && { title: text }),
        ...(names.includes('remark') && { remark: fc.option(text) }),
      }),
    ),
  ),
) as fc.Arbitrary<Change[]>;

describe('an update of many rows', () => {
  it('does what the model does, with dead and missing rows among them', async () => {
    const dead = fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 4 });
    const missing = fc.constantFrom('refuse' as const, 'skip' as const);
    let refusals = 0;
    await fc.assert(
      fc.asyncProperty(dead, changes, missing, fc.boolean(), async (own, given, how, isInside) => {
        await plant(new Set(own));
        const [after, answer] = modelled(await stored(), given, how);
        const em = flushes.em();
        const work = (): Promise<unknown> => em.getRepository(Sample).updateMany(given, { missing: how });
        const outcome = await (isInside ? em.transactional(() => work()) : work()).catch((error: unknown) => {
          expect(error).toBeInstanceOf(SoftDeletedRowError);
          refusals += 1;
          return (error as SoftDeletedRowError).keys;
        });
        expect(outcome).toEqual(answer);
        expect(await stored()).toEqual(after);
      }),
      { numRuns: 300 },
    );
    // Both answers were seen.
    expect(refusals).toBeGreaterThan(30);
    expect(refusals).toBeLessThan(270);
  });
});

describe('updates of the same rows at once', () => {
  /** A permutation of all rows for each writer, which a lock in the order of the arrays would let wait in a circle. */
  const shuffled = (): string[] => ids.toSorted(() => Math.random() - 0.5);

  it('wait for each other and never in a circle, and each is whole', async () => {
    await plant(new Set());
    const writers = Array.from({ length: 12 }, async (_, writer) => {
      for (let round = 0; round < 15; round += 1) {
        const rows = shuffled().map((id) => ({ id, title: `${writer} ${round}` }));
        await flushes.em().getRepository(Sample).updateMany(rows);
      }
    });
    await Promise.all(writers);
    expect(new Set(Object.values(await stored()).map(({ title }) => title)).size).toBe(1);
  });

  it('would wait in a circle if each took them in an order of its own', async () => {
    await plant(new Set());
    const update = `update sample t set title = u.title from unnest(?::bigint[], ?::text[]) as u (id, title)
      where t.id = u.id and t.deleted_at is null`;
    const both = [ids, ids.toReversed()].map((order) =>
      flushes.em().transactional(async (tx) => {
        for (const id of order) await tx.execute(update, [`{${id}}`, '{x}']);
      }),
    );
    const outcomes = await Promise.allSettled(both);
    expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  });

  it('never change a row that is deleted meanwhile: all of them or none', async () => {
    const outcomes = { written: 0, refused: 0 };
    for (let trial = 0; trial < 60; trial += 1) {
      await plant(new Set());
      const doomed = ids[(trial * 7) % ROWS] as string;
      const rows = shuffled().map((id) => ({ id, title: `trial ${trial}` }));
      const update = flushes
        .em()
        .getRepository(Sample)
        .updateMany(rows)
        .then(
          () => true,
          (error: unknown) => {
            expect(error).toBeInstanceOf(SoftDeletedRowError);
            expect((error as SoftDeletedRowError).keys).toEqual([doomed]);
            return false;
          },
        );
      const [isWritten] = await Promise.all([update, flushes.em().getRepository(Sample).softDelete(doomed)]);
      const titles = Object.values(await stored()).map(({ title }) => title === `trial ${trial}`);
      expect(new Set(titles)).toEqual(new Set([isWritten]));
      outcomes[isWritten ? 'written' : 'refused'] += 1;
    }
    expect(outcomes.written + outcomes.refused).toBe(60);
  });
});
