import { IsolationLevel } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, isDataError, retryTransaction, SoftDeletedRowError } from 'tombstone';
import { openUpserts, songs, type Upserts } from './fixtures/upsert-model.ts';

let db: Upserts;
beforeAll(async () => {
  db = await openUpserts(30);
});
beforeEach(() => db.reset());
afterAll(() => db.close());

type Policy = keyof typeof songs;
const policies: readonly Policy[] = ['revive', 'refuse', 'beside'];
const tables = { revive: 'revived', refuse: 'refused', beside: 'beside' } as const;
const SESSIONS = 16;
const ROUNDS = 6;
const key = { artist: 'Ada', title: 'Hum' };
const titles = Array.from({ length: 8 }, (_, index) => `Song ${index}`);

const many = <T>(count: number, work: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, index) => work(index)));
const rounds = async (work: (round: number) => Promise<unknown>) => {
  for (let round = 0; round < ROUNDS; round += 1) await work(round);
};
/** Refusals are the answer of one policy; every other error is what must not surface. */
const unlessRefused = (policy: Policy, work: Promise<unknown>) =>
  work.catch((error: unknown) => {
    if (policy !== 'refuse' || !(error instanceof SoftDeletedRowError)) throw error;
  });
const count = async (policy: Policy, condition: string) => {
  const [row] = await db.rows<{ count: string }>(`select count(*) from ${tables[policy]} where ${condition}`);
  return Number(row?.count);
};
/** Until a session waits for another one's transaction. */
const untilBlocked = async () => {
  const sql = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  while ((await db.rows(sql)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
};

describe.each(policies)('16 sessions with the policy %s', (policy) => {
  const entity = songs[policy];
  const upsert = (em: DataEntityManager, round: number) => em.upsert(entity, { ...key, plays: round });

  it('upsert one key while others delete it, with one live row at the most and no error', async () => {
    await Promise.all([
      many(SESSIONS, () => rounds((round) => unlessRefused(policy, upsert(db.em(), round)))),
      many(SESSIONS / 2, () => rounds(() => db.em().nativeDelete(entity, key))),
    ]);
    expect(await count(policy, 'deleted_at is null')).toBeLessThanOrEqual(1);
    // Only `beside` ever makes a second row of a key that a deleted one holds.
    const rows = await count(policy, 'true');
    if (policy === 'beside') expect(rows).toBeGreaterThan(1);
    else expect(rows).toBe(1);
    if (policy === 'refuse') await db.rows('update refused set deleted_at = null');
    await many(SESSIONS, () => upsert(db.em(), 9));
    expect(await count(policy, 'deleted_at is null and plays = 9')).toBe(1);
  });

  it('the same inside transactions of their own', async () => {
    await Promise.all([
      many(SESSIONS, () =>
        rounds((round) =>
          db.em().transactional(async (em) => {
            await unlessRefused(policy, upsert(em, round));
            await em.insert(entity, { artist: 'Bea', title: String(Math.random()) });
          }),
        ),
      ),
      many(SESSIONS / 2, () => rounds(() => db.em().nativeDelete(entity, key))),
    ]);
    expect(await count(policy, `deleted_at is null and artist_name = 'Ada'`)).toBeLessThanOrEqual(1);
    // What a transaction has done beside an upsert that was refused or started again is all there.
    expect(await count(policy, `artist_name = 'Bea'`)).toBe(SESSIONS * ROUNDS);
  });

  it('upsert the same keys in different orders while others delete them', async () => {
    const shuffled = () => titles.toSorted(() => Math.random() - 0.5);
    await Promise.all([
      many(SESSIONS, () =>
        rounds((round) => {
          const rows = shuffled().map((title) => ({ artist: 'Ada', title, plays: round }));
          return unlessRefused(policy, db.em().upsertMany(entity, rows));
        }),
      ),
      many(4, (index) =>
        rounds(() =>
          retryTransaction(db.em(), (em) => em.nativeDelete(entity, { title: titles[index] as string })),
        ),
      ),
    ]);
    const twice = `select title from ${tables[policy]} where deleted_at is null group by title having count(*) > 1`;
    expect(await db.rows(twice)).toEqual([]);
    expect(await count(policy, `deleted_at is null and title in ('Song 6', 'Song 7')`)).toBe(2);
    if (policy === 'beside') return;
    expect(await count(policy, 'true')).toBe(titles.length);
  });
});

describe('a deletion that ends while an upsert of its key waits', () => {
  const race = async (policy: Policy) => {
    await db.em().insert(songs[policy], key);
    let late: Promise<unknown> | undefined;
    await db.em().transactional(async (em) => {
      await em.nativeDelete(songs[policy], key);
      late = db
        .em()
        .upsert(songs[policy], { ...key, plays: 9 })
        .then(
          ({ id }) => id,
          (error: Error) => error.name,
        );
      await untilBlocked();
    });
    const rows = `select id, deleted_at is not null as dead from ${tables[policy]} order by id`;
    return [await late, await db.rows(rows)];
  };

  it('is answered by the policy, as one that was there before', async () => {
    expect(await race('refuse')).toEqual(['SoftDeletedRowError', [{ id: '1', dead: true }]]);
    expect(await race('revive')).toEqual(['1', [{ id: '1', dead: false }]]);
    const [id, rows] = await race('beside');
    expect(rows).toEqual([
      { id: '1', dead: true },
      { id, dead: false },
    ]);
  });

  it.each(['refuse', 'revive'] as const)(
    'is not overlooked by an older snapshot, which has to start again: %s',
    async (policy) => {
      await db.em().insert(songs[policy], key);
      const stale = db.em().transactional(
        async (em) => {
          await em.find(songs[policy], {});
          await db.em().nativeDelete(songs[policy], key);
          await em.upsert(songs[policy], key);
        },
        { isolationLevel: IsolationLevel.REPEATABLE_READ },
      );
      const error = await stale.catch((reason: unknown) => reason);
      expect(isDataError(error, 'DATA.CONCURRENCY') && error.retryable).toBe(true);
      expect(await count(policy, 'true')).toBe(1);
    },
  );
});
