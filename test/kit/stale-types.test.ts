import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, runPrepared } from 'tombstone';
import { Sample } from './fixtures/flush-model.ts';
import { type Flushes, openFlushes } from './fixtures/flush-runs.ts';

let flushes: Flushes;
beforeEach(async () => {
  flushes = await openFlushes({ pool: { min: 0, max: 1 } });
  await flushes.reset();
});
afterEach(() => flushes.orm.close());

/** One column by each way in which the layer writes it prepared; `value` is what the column holds then. */
type Way = (em: DataEntityManager, change: Partial<Sample>) => Promise<unknown>;

const ways: [string, Way][] = [
  ['updateMany', (em, change) => em.getRepository(Sample).updateMany([{ id: '1', ...change } as never])],
  ['nativeUpdate', (em, change) => em.nativeUpdate(Sample, { id: '1' }, change)],
  [
    'a flush',
    async (em, change) => {
      for (const sample of await em.find(Sample, { id: { $in: ['1', '2'] } })) em.assign(sample, change);
      await em.flush();
    },
  ],
  [
    'runPrepared',
    (em, { small, remark }) => {
      const [column, value] = small === undefined ? ['remark', remark] : ['small', small];
      const text = `update sample set ${column} = $1 where id = 1 and deleted_at is null`;
      return runPrepared(em, { name: `kit_${column}`, text }, [value]);
    },
  ],
];
const stored = (column: string) =>
  flushes.rows(`select ${column}::text as value from sample where id = 1`).then(([row]) => row?.['value']);
const NAMES = `select name from pg_prepared_statements where statement not like '%pg_prepared%' order by name`;
const names = async () => (await flushes.rows(NAMES)).map(({ name }) => name);

describe.each(ways)('%s on a connection that is older than the type of a column', (_, write) => {
  it('writes what the column holds now', async () => {
    for (const small of [1, 2, 3]) await write(flushes.em(), { small });
    await flushes.rows('alter table sample alter column small type integer');
    await write(flushes.em(), { small: 100_000 });
    expect(await stored('small')).toBe('100000');

    for (const remark of ['"a"', '"b"', '"c"']) await write(flushes.em(), { remark });
    await flushes.rows('alter table sample alter column remark type jsonb using to_jsonb(remark)');
    await write(flushes.em(), { remark: '"d"' });
    expect(await stored('remark')).toBe('"d"');
    // Prepared again, and not once more for each call.
    await write(flushes.em(), { remark: '"e"' });
    const before = await names();
    for (const remark of ['"f"', '"g"']) await write(flushes.em(), { remark });
    expect(await names()).toEqual(before);
  });

  it('fails in a transaction once', async () => {
    for (const remark of ['"a"', '"b"', '"c"']) await write(flushes.em(), { remark });
    const inside = (remark: string) =>
      flushes.em().transactional((tx) => write(tx, { remark }).then(() => undefined));
    await inside('"d"');
    await flushes.rows('alter table sample alter column remark type jsonb using to_jsonb(remark)');
    const state = (error: { sqlState?: string }): string | undefined => error.sqlState;
    expect([undefined, '42883', '42804']).toContain(await inside('"e"').catch(state));
    await inside('"f"');
    expect(await stored('remark')).toBe('"f"');
  });
});

describe('a statement that fails for its values or by itself', () => {
  it('fails as before, and its name stays', async () => {
    const text = 'update sample set small = $1 where id = 1 and deleted_at is null';
    const write = (value: number) =>
      runPrepared(flushes.em(), { name: 'kit_small', text }, [value]).catch(
        (error: { sqlState?: string }) => error.sqlState,
      );
    await write(1);
    expect(await write(100_000)).toBe('22003');
    expect(await stored('small')).toBe('1');
    for (let n = 0; n < 3; n += 1) {
      const wrong = { name: 'kit_wrong', text: 'select nothing_like_that($1::int)' };
      await expect(runPrepared(flushes.em(), wrong, [n])).rejects.toMatchObject({ sqlState: '42883' });
    }
    const before = await names();
    expect(before).not.toContain('kit_wrong_t1');
    await write(2);
    await write(3);
    expect(await stored('small')).toBe('3');
  });
});
