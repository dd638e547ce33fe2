import { raw } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, SoftDeletedRowError } from 'tombstone';
import {
  Beside,
  Label,
  Movie,
  openUpserts,
  Refused,
  Revived,
  songs,
  Sound,
  type Upserts,
} from './fixtures/upsert-model.ts';

let db: Upserts;
beforeAll(async () => {
  db = await openUpserts();
});
beforeEach(() => db.reset());
afterAll(() => db.close());

type Policy = keyof typeof songs;
const policies: readonly Policy[] = ['revive', 'refuse', 'beside'];
const tables = { revive: 'revived', refuse: 'refused', beside: 'beside' } as const;
const key = { artist: 'Ada', title: 'Hum' };
const LONG_AGO = `'2001-01-01T00:00:00Z'`;

/** Rows of one policy's table; a `deleted` one is dead since that many days, undefined is live. */
const plant = async (policy: Policy, ...rows: { id: number; title?: string; deleted?: number }[]) => {
  for (const { id, title = 'Hum', deleted } of rows) {
    const mark = deleted === undefined ? 'null' : `now() - interval '${deleted} days'`;
    await db.rows(
      `insert into ${tables[policy]} (id, artist_name, title, plays, created_at, updated_at, deleted_at)
       values (${id}, 'Ada', '${title}', 1, ${LONG_AGO}, ${LONG_AGO}, ${mark})`,
    );
  }
  await db.rows(`select setval('${tables[policy]}_id_seq', 100)`);
};
const stored = (policy: Policy) =>
  db.rows<{ id: string; title: string; plays: number; dead: boolean }>(
    `select id, title, plays, deleted_at is not null as dead from ${tables[policy]} order by id`,
  );
const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'written',
    (error: unknown) =>
      error instanceof SoftDeletedRowError ? `refused for ${error.keys.join(' and ')}` : error,
  );
const song = (id: string, plays: number, dead = false, title = 'Hum') => ({ id, title, plays, dead });

describe('an upsert by a live-only unique', () => {
  const afterDead = {
    revive: ['written', [song('4', 1, true), song('5', 9)]],
    refuse: ['refused for 5', [song('4', 1, true), song('5', 1, true)]],
    beside: ['written', [song('4', 1, true), song('5', 1, true), song('101', 9)]],
  };

  it.each(policies)('whose key only dead rows hold does what the policy says: %s', async (policy) => {
    await plant(policy, { id: 4, deleted: 9 }, { id: 5, deleted: 2 });
    const result = await outcome(db.em().upsert(songs[policy], { ...key, plays: 9 }));
    expect([result, await stored(policy)]).toEqual(afterDead[policy]);
  });

  it.each(policies)(
    'whose key a live row holds updates it, however many dead ones there are: %s',
    async (policy) => {
      await plant(policy, { id: 4, deleted: 9 }, { id: 5, deleted: 2 }, { id: 6 });
      const found = await db.em().upsert(songs[policy], { ...key, plays: 9 });
      expect(found.id).toBe('6');
      expect(await stored(policy)).toEqual([song('4', 1, true), song('5', 1, true), song('6', 9)]);
    },
  );

  it.each(policies)('whose key no row holds inserts: %s', async (policy) => {
    await plant(policy, { id: 4, title: 'Hiss', deleted: 9 });
    const made = await db.em().upsert(songs[policy], { ...key, plays: 9 });
    expect(made).toMatchObject({ id: '101', deletedAt: null, plays: 9, version: 1 });
  });

  it.each(policies)('of many rows holds for all of them or writes none: %s', async (policy) => {
    await plant(policy, { id: 4, deleted: 9 }, { id: 6, title: 'Live' });
    const rows = ['New', 'Live', 'Hum'].map((title) => ({ artist: 'Ada', title, plays: 9 }));
    const em = db.em();
    const result = await outcome(em.upsertMany(songs[policy], rows));
    const live = (await stored(policy)).filter((row) => !row.dead).map((row) => `${row.title} ${row.plays}`);
    const all = ['Hum 9', 'Live 9', 'New 9'];
    expect(result).toBe(policy === 'refuse' ? 'refused for 4' : 'written');
    expect(live.toSorted()).toEqual(policy === 'refuse' ? ['Live 1'] : all);
  });

  it('answers in the order of the data, each entity with its own key', async () => {
    await plant('revive', { id: 4, deleted: 9 }, { id: 6, title: 'Live' });
    const titles = ['New', 'Live', 'Hum', 'Also'];
    const found = await db.em().upsertMany(
      Revived,
      titles.map((title) => ({ artist: 'Ada', title, plays: 9 })),
    );
    expect(found.map((each) => each.title)).toEqual(titles);
    for (const { id, title } of found) {
      expect(await db.rows(`select id from revived where title = '${title}' and deleted_at is null`)).toEqual(
        [{ id }],
      );
    }
  });

  it.each(policies)('in a transaction leaves what the transaction has done before: %s', async (policy) => {
    await plant(policy, { id: 4, deleted: 9 });
    await db.em().transactional(async (em) => {
      await em.insert(songs[policy], { artist: 'Ada', title: 'Before' });
      await outcome(em.upsertMany(songs[policy], [{ ...key, title: 'With' }, key]));
      await em.insert(songs[policy], { artist: 'Ada', title: 'After' });
    });
    const live = (await stored(policy)).filter((row) => !row.dead).map((row) => row.title);
    const own = policy === 'refuse' ? [] : ['Hum', 'With'];
    expect(live.toSorted()).toEqual(['After', 'Before', ...own].toSorted());
  });

  it('keeps statements that run beside it in the same transaction, although it starts again', async () => {
    await plant('revive', { id: 4, deleted: 9 });
    await db
      .em()
      .transactional((em) =>
        Promise.all([
          em.upsert(Revived, key),
          em.fork({ keepTransactionContext: true }).insert(Beside, { artist: 'Ada', title: 'Aside' }),
          em.upsert(Refused, key),
        ]),
      );
    expect([await stored('revive'), await stored('beside'), await stored('refuse')]).toEqual([
      [song('4', 1)],
      [expect.objectContaining({ title: 'Aside' })],
      [expect.objectContaining({ title: 'Hum' })],
    ]);
  });
});

describe('a revived row', () => {
  it('is live, managed, and keeps its key and the day of its making', async () => {
    await plant('revive', { id: 5, deleted: 2 });
    const em = db.em();
    const found = await em.upsert(Revived, { ...key, plays: 9, note: 'back' });
    expect(found).toMatchObject({ id: '5', deletedAt: null, plays: 9, note: 'back', version: 3 });
    expect(em.getUnitOfWork().getById(Revived, '5')).toBe(found);
    expect(found.createdAt).toEqual(new Date('2001-01-01T00:00:00Z'));
    expect(found.updatedAt.getTime()).toBeGreaterThan(Date.now() - 60_000);
    found.plays = 10;
    await em.flush();
    expect(await stored('revive')).toEqual([song('5', 10)]);
  });

  it('takes an entity that the trash has shown, and one that was made by hand', async () => {
    await plant('revive', { id: 5, deleted: 2 });
    await db.em().onlyDeleted(async (em) => {
      const trashed = await em.findOneOrFail(Revived, '5');
      const found = await em.upsert(trashed);
      expect([found.id, found.deletedAt]).toEqual(['5', null]);
    });
    await db.em().nativeDelete(Revived, '5');
    const em = db.em();
    const made = em.create(Revived, { ...key, plays: 3, version: 1 }, { persist: false });
    expect(await em.upsert(made)).toMatchObject({ id: '5', deletedAt: null, plays: 3 });
    expect(await stored('revive')).toEqual([song('5', 3)]);
  });

  it('keeps its own key when the data bring another one', async () => {
    await plant('revive', { id: 5, deleted: 2 });
    const onConflictFields = ['artist', 'title'] as const;
    const found = await db
      .em()
      .upsert(Revived, { id: '77', ...key }, { onConflictFields: [...onConflictFields] });
    expect(found.id).toBe('5');
    expect(await stored('revive')).toEqual([song('5', 1)]);
  });

  it('that another live-only unique forbids is a ConflictError, as for a restore', async () => {
    await db.rows('create unique index revived_note_live on revived (note) where deleted_at is null');
    try {
      await plant('revive', { id: 5, deleted: 2 }, { id: 6, title: 'Live' });
      await db.rows(`update revived set note = 'one'`);
      const taken = { name: 'ConflictError', constraint: 'revived_note_live' };
      await expect(db.em().upsert(Revived, key)).rejects.toMatchObject(taken);
      expect(await stored('revive')).toEqual([song('5', 1, true), song('6', 1, false, 'Live')]);
    } finally {
      await db.rows('drop index revived_note_live');
    }
  });
});

describe('an upsert by a key that dead rows hold alone', () => {
  it.each(policies)('by the primary key: %s', async (policy) => {
    await plant(policy, { id: 5, deleted: 2 }, { id: 6, title: 'Live' });
    const rows = [
      { id: '6', artist: 'Ada', title: 'Live', plays: 9 },
      { id: '5', ...key, plays: 9 },
    ];
    const [one, many] = [
      await outcome(db.em().upsert(songs[policy], rows[1] as never)),
      await outcome(db.em().upsertMany(songs[policy], rows)),
    ];
    const expected = policy === 'revive' ? 'written' : 'refused for 5';
    expect([one, many]).toEqual([expected, expected]);
    expect(await stored(policy)).toEqual(
      policy === 'revive'
        ? [song('5', 9), song('6', 9, false, 'Live')]
        : [song('5', 1, true), song('6', 1, false, 'Live')],
    );
  });

  it('a full unique, in the place of an index that the core would take and cannot use', async () => {
    const em = db.em();
    await db.rows(`insert into label (code, name, city, deleted_at) values ('x', 'Old', 'Bonn', now())`);
    const byCode = await em.upsert(Label, { code: 'x', name: 'New' });
    expect(byCode).toMatchObject({ name: 'New', deletedAt: null });
    const byPlace = await db.em().upsert(Label, { name: 'New', city: 'Bonn', code: null });
    expect(byPlace.id).toBe(byCode.id);
    expect(await db.rows('select code, name, deleted_at from label')).toEqual([
      { code: null, name: 'New', deleted_at: null },
    ]);
  });
});

describe('the options of an upsert', () => {
  it.each(policies)('ignore leaves a live row alone and does the rest: %s', async (policy) => {
    await plant(policy, { id: 4, deleted: 9 }, { id: 6, title: 'Live' });
    const ignore = { onConflictAction: 'ignore' } as const;
    const live = await db.em().upsert(songs[policy], { ...key, title: 'Live', plays: 9 }, ignore);
    expect([live.id, live.plays]).toEqual(['6', 1]);
    const both = ['Live', 'Hum'].map((title) => ({ artist: 'Ada', title, plays: 9 }));
    const many = await outcome(db.em().upsertMany(songs[policy], both, ignore));
    expect(many).toBe(policy === 'refuse' ? 'refused for 4' : 'written');
    const found = (await stored(policy)).filter((row) => !row.dead).map((row) => [row.title, row.plays]);
    expect(found).toEqual(
      expect.arrayContaining([['Live', 1], ...(policy === 'refuse' ? [] : [['Hum', 9]])]),
    );
  });

  it('ignore by the primary key revives a dead row and reads a live one', async () => {
    await plant('revive', { id: 5, deleted: 2 }, { id: 6, title: 'Live' });
    const ignore = { onConflictAction: 'ignore' } as const;
    await db.em().upsert(Revived, { id: '5', ...key, plays: 9 }, ignore);
    const live = await db.em().upsert(Revived, { id: '6', ...key, title: 'Other', plays: 9 }, ignore);
    expect(live.title).toBe('Live');
    expect(await stored('revive')).toEqual([song('5', 9), song('6', 1, false, 'Live')]);
  });

  it('merge and exclude fields hold for a live and for a revived row', async () => {
    await plant('revive', { id: 4, deleted: 9 }, { id: 6, title: 'Live' });
    for (const title of ['Hum', 'Live']) {
      const data = { artist: 'Ada', title, plays: 9, note: 'new' };
      await db.em().upsert(Revived, data, { onConflictMergeFields: ['note'] });
    }
    const notes = () => db.rows('select plays, note from revived where deleted_at is null order by id');
    expect(await notes()).toEqual([
      { plays: 1, note: 'new' },
      { plays: 1, note: 'new' },
    ]);
    await db.em().upsert(Revived, { ...key, plays: 8, note: 'x' }, { onConflictExcludeFields: ['note'] });
    expect((await notes())[0]).toEqual({ plays: 8, note: 'new' });
  });

  it("the program's own condition and fragment win", async () => {
    await plant('revive', { id: 5, deleted: 2 });
    const guarded = { onConflictWhere: { plays: { $gt: 5 } } };
    expect(await outcome(db.em().upsert(Revived, { id: '5', ...key, plays: 9 }, guarded))).toBe(
      'refused for 5',
    );
    const onConflictFields = raw('("artist_name", "title") where "deleted_at" is null');
    await db.em().upsert(Revived, { ...key, plays: 9 }, { onConflictFields });
    expect(await stored('revive')).toEqual([song('5', 1, true), song('101', 9)]);
  });

  it('disableIdentityMap and an empty list', async () => {
    await plant('revive', { id: 5, deleted: 2 });
    const em = db.em();
    expect((await em.upsert(Revived, key, { disableIdentityMap: true })).id).toBe('5');
    expect(em.getUnitOfWork().getIdentityMap().keys()).toEqual([]);
    expect(await em.upsertMany(Revived, [])).toEqual([]);
  });

  it.each(['withDeleted', 'onlyDeleted'] as const)(
    'the policy holds in %s, also for what is read back',
    async (scope) => {
      await plant(
        'refuse',
        { id: 4, deleted: 9 },
        { id: 5, title: 'Live', deleted: 2 },
        { id: 6, title: 'Live' },
      );
      const run = <T>(work: (em: DataEntityManager) => Promise<T>) => db.em()[scope](work);
      expect(await outcome(run((em) => em.upsert(Refused, key)))).toBe('refused for 4');
      const data = { ...key, title: 'Live' };
      const live = await run((em) => em.upsert(Refused, data, { onConflictAction: 'ignore' }));
      expect(live.id).toBe('6');
    },
  );
});

describe('single-table inheritance', () => {
  const clips = () =>
    db.rows('select id, kind, name, length, deleted_at is not null as dead from clip order by id');
  const plantClip = (id: number, kind: string, dead: boolean) =>
    db.rows(`insert into clip (id, kind, name, length, deleted_at)
      values (${id}, '${kind}', 'Noir', 1, ${dead ? 'now()' : 'null'}); select setval('clip_id_seq', 100)`);
  const noir = { name: 'Noir', length: 9 };

  it('a child inherits the policy of its root, or has one of its own', async () => {
    await plantClip(1, 'sound', true);
    expect((await db.em().upsert(Sound, noir)).id).toBe('1');
    await db.em().nativeDelete(Sound, '1');
    expect(await outcome(db.em().upsert(Movie, noir))).toBe('refused for 1');
    expect(await clips()).toEqual([{ id: '1', kind: 'sound', name: 'Noir', length: 9, dead: true }]);
  });

  it('a dead row of another class is not revived, and a live one is a conflict', async () => {
    await plantClip(1, 'movie', true);
    const found = await db.em().upsert(Sound, noir);
    expect(found.id).toBe('101');
    await expect(db.em().upsert(Sound, { id: '1', ...noir })).rejects.toMatchObject({
      name: 'SoftDeletedRowError',
    });
    await db.rows(`update clip set kind = 'movie' where id = 101`);
    await expect(db.em().upsert(Sound, { id: '101', ...noir })).rejects.toMatchObject({
      name: 'ConflictError',
    });
    expect((await clips()).map((row) => row['kind'])).toEqual(['movie', 'movie']);
  });
});

describe('the query builder', () => {
  it('repeats the predicate of a live-only index, also in skipSoftDelete', async () => {
    await plant('refuse', { id: 4, deleted: 9 }, { id: 6 });
    const insert = (em: DataEntityManager, title: string) =>
      em
        .createQueryBuilder(Refused)
        .insert({ ...key, title, plays: 9 })
        .onConflict(['title', 'artist'])
        .merge(['plays']);
    await insert(db.em(), 'Hum').execute();
    expect(await stored('refuse')).toEqual([song('4', 1, true), song('6', 9)]);
    await db.em().skipSoftDelete((em) => insert(em, 'New').execute());
    expect(insert(db.em(), 'x').getQuery()).toContain('("title", "artist_name") where "deleted_at" is null');
  });
});

describe('what an upsert costs', () => {
  const cost = async (policy: Policy, data: object[], rows: Parameters<typeof plant>[1][] = []) => {
    await plant(policy, ...rows);
    const em = db.em();
    db.verbs();
    await (data.length === 1
      ? em.upsert(songs[policy], data[0] as never)
      : em.upsertMany(songs[policy], data as never));
    return db.verbs().join(' ');
  };

  it('beside is one statement', async () => {
    expect(await cost('beside', [key], [{ id: 4, deleted: 9 }])).toBe('insert');
    await db.reset();
    expect(await cost('beside', [key, { ...key, title: 'New' }], [{ id: 4 }])).toBe('insert');
  });

  it.each(['refuse', 'revive'] as const)(
    '%s is one where a live row is updated, and one look where one is new',
    async (policy) => {
      expect(await cost(policy, [key], [{ id: 4 }])).toBe('begin insert commit');
      expect(await cost(policy, [{ ...key, title: 'New' }])).toBe('begin insert select commit');
      const many = ['Hum', 'Two', 'Three'].map((title) => ({ ...key, title }));
      expect(await cost(policy, many)).toBe('begin insert select commit');
    },
  );

  it('a revival starts again, with one update', async () => {
    expect(await cost('revive', [key], [{ id: 4, deleted: 9 }])).toBe(
      'begin insert select rollback begin update insert commit',
    );
  });

  it('a key that a dead row holds alone is one statement, also to revive', async () => {
    expect(await cost('revive', [{ id: '4', ...key }], [{ id: 4, deleted: 9 }])).toBe('insert');
    expect(await cost('refuse', [{ id: '4', ...key }], [{ id: 4 }])).toBe('insert');
  });
});
