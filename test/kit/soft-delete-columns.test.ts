import { MikroORM } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, defineDataConfig, defineModule } from 'tombstone';
import { run, select } from './fixtures/kysely-probes.ts';
import { type Kinds, openKinds } from './fixtures/kinds.ts';
import { Crate, kindsEntities, Photo, Stamp } from './fixtures/kinds-model.ts';

// A table in a schema of its own whose names all need quotes, the one of the mark among them, with columns of every kind.

let kinds: Kinds;
beforeAll(async () => {
  kinds = await openKinds();
});
afterAll(() => kinds.close());

const TABLE = '"annex"."Crates ""of"" wood"';

// Crates 2 and 4 are dead, and so is stamp 2; 3 is inside of 2.
beforeEach(() =>
  kinds.rows(`
    truncate ${TABLE}, annex.photo, photo, annex."crate stamps" restart identity cascade;
    insert into ${TABLE} ("the label", "inside of", boards, lid, size_width, note, "removed ""at""") values
      ('oak', null, '[{"width": 1}]', '{"width": 1, "unit": "cm"}', 1, 'dry', null), ('elm', null, '[{"width": 2}]', '{"width": 2, "unit": "cm"}', 2, 'wet', now()),
      ('ash', 2, '[]', null, 3, 'old', null), ('fir', 1, '[]', null, 4, 'new', now());
    insert into annex.photo (title, deleted_at) values ('blue', null), ('red', now());
    insert into photo (title, deleted_at) values ('sea', now()), ('lake', null), ('pond', null);
    insert into annex."crate stamps" values (1, 1), (1, 2), (2, 1);`),
);

const labels = (crates: readonly Crate[]) => crates.map(({ label }) => label).toSorted();
const stored = () => kinds.rows(`select * from ${TABLE} order by "Crate No"`);
const dead = { code: 'DATA.SOFT_DELETED_ROW' };

describe('a change to a dead row is refused', () => {
  const CHANGES: Record<string, (crate: Crate) => void> = {
    'of a column': (crate) => void (crate.label = 'x'),
    'of an embedded value in columns': (crate) => void (crate.size = { width: 9 } as never),
    'of an embedded value in JSON': (crate) => void (crate.lid = { width: 9 } as never),
    'of an embedded array': (crate) => void (crate.boards = [{ width: 9 } as never]),
    'of a lazy column': (crate) => void (crate.note = 'x'),
  };

  it.each(Object.entries(CHANGES))('%s, alone and beside another one', async (_name, change) => {
    const before = await stored();
    for (const numbers of [[2], [1, 2]]) {
      const write = async (em: DataEntityManager) => {
        for (const no of numbers) change(em.getReference(Crate, no));
        await em.flush();
      };
      await expect(write(kinds.em())).rejects.toMatchObject(dead);
      expect(await stored()).toEqual(before);
    }
    await kinds.em().skipSoftDelete(async (em) => {
      for (const no of [1, 2]) change(em.getReference(Crate, no));
      await em.flush();
    });
    expect((await stored())[1]).not.toEqual(before[1]);
  });
});

describe('reads', () => {
  it('show no dead row, whatever columns they ask for', async () => {
    const read = async (em: DataEntityManager) => [
      labels(await em.find(Crate, { size: { width: { $gte: 2 } } })),
      labels(await em.find(Crate, { lid: { unit: 'cm' } })),
      labels(await em.find(Crate, { loud: { $in: ['ELM', 'ASH'] } })),
      labels(await em.find(Crate, { note: { $in: ['wet', 'old'] } }, { populate: ['note'] })),
      labels(await em.find(Crate, { inside: { label: { $in: ['oak', 'elm'] } } })),
    ];
    expect(await read(kinds.em())).toEqual([['ash'], ['oak'], ['ash'], ['ash'], []]);
    expect(await kinds.em().skipSoftDelete(read)).toEqual([
      ['ash', 'elm', 'fir'],
      ['elm', 'oak'],
      ['ash', 'elm'],
      ['ash', 'elm'],
      ['ash', 'fir'],
    ]);
  });

  it('compute formulas and generated columns of the live rows', async () => {
    const [crate] = await kinds.em().find(Crate, { label: 'oak' });
    expect([crate?.loud, crate?.shout]).toEqual(['OAK', 'oak!']);
  });

  it('do not fill a lazy column of a row that has died since', async () => {
    const em = kinds.em();
    const crate = await em.findOneOrFail(Crate, 1);
    await kinds.rows(`update ${TABLE} set "removed ""at""" = now() where "Crate No" = 1`);
    await em.populate(crate, ['note']);
    expect(crate.note).toBeUndefined();
    const all = await em.skipSoftDelete((skip) => skip.findOneOrFail(Crate, 1, { populate: ['note'] }));
    expect(all.note).toBe('dry');
  });

  it('do not follow a link to a dead row', async () => {
    const stamps = async (em: DataEntityManager) => {
      const crate = await em.findOneOrFail(Crate, 1, { populate: ['stamps', 'contents'] });
      return [...crate.stamps.getItems().map(({ title }) => title), ...labels(crate.contents.getItems())];
    };
    expect(await stamps(kinds.em())).toEqual(['blue']);
    expect((await kinds.em().skipSoftDelete(stamps)).toSorted()).toEqual(['blue', 'fir', 'red']);
  });
});

describe('deleting and restoring', () => {
  it('marks the row by its own column, and restores it', async () => {
    const em = kinds.em();
    expect(await em.nativeDelete(Crate, { label: { $in: ['oak', 'elm'] } })).toBe(1);
    const before = await stored();
    expect(before.map((row) => row['removed "at"'] !== null)).toEqual([true, true, false, true]);
    expect(await em.getRepository(Crate).restoreByKey(1)).toBe(true);
    expect(labels(await em.find(Crate, {}))).toEqual(['ash', 'oak']);
  });

  it('keeps the key of what is inside', async () => {
    const em = kinds.em();
    await kinds.rows(`update ${TABLE} set "inside of" = 1 where "Crate No" = 3`);
    em.remove(await em.findOneOrFail(Crate, 1, { populate: ['contents'] }));
    await em.flush();
    expect((await stored())[2]).toMatchObject({ 'inside of': 1 });
  });

  it('refuses an upsert of a dead row', async () => {
    await expect(kinds.em().upsert(Crate, { no: 2, label: 'x', boards: [] })).rejects.toMatchObject(dead);
  });
});

describe('Kysely', () => {
  const titles = async (start: unknown, table: string) =>
    ((await run(select(start, ['selectFrom', table], ['select', 'title']))) as { title: string }[]).map(
      ({ title }) => title,
    );

  it('tells tables of one name in two schemas apart', async () => {
    const kysely = kinds.em().getKysely();
    expect(await titles(kysely, 'annex.photo')).toEqual(['blue']);
    expect(await titles(kysely, 'photo')).toEqual(['lake', 'pond']);
    expect(await titles(kysely, 'public.photo')).toEqual(['lake', 'pond']);
    expect(
      (await kinds.em().skipSoftDelete((em) => titles(em.getKysely(), 'annex.photo'))).toSorted(),
    ).toEqual(['blue', 'red']);
  });

  it('knows the column of the mark', async () => {
    const rows = await run(
      select(
        kinds.em().getKysely(),
        ['withSchema', 'annex'],
        ['selectFrom', 'Crates "of" wood'],
        ['selectAll'],
      ),
    );
    expect(rows).toHaveLength(2);
  });
});

describe('a schema that is chosen when the ORM starts, or for an entity manager', () => {
  it('is where tables of entities without a schema are looked for', async () => {
    const modules = [defineModule({ name: 'kinds', migrations: '/nowhere', entities: kindsEntities })];
    await kinds.rows(
      'create schema if not exists tenant; create table tenant.clip (like clip including all)',
    );
    await kinds.rows(
      `insert into tenant.clip (title, poster_id, deleted_at) values ('t', 1, null), ('u', 1, now())`,
    );
    const orm = await MikroORM.init(
      defineDataConfig({ clientUrl: kinds.url, modules, schema: 'tenant', ensureDatabase: false }),
    );
    const read = async (em: DataEntityManager) =>
      (await run(select(em.getKysely(), ['selectFrom', 'tenant.clip'], ['selectAll']))).length;
    expect(await read(orm.em.fork())).toBe(1);
    expect(await orm.em.fork().skipSoftDelete(read)).toBe(2);
    expect(await read(kinds.orm.em.fork({ schema: 'tenant', disableContextResolution: true }))).toBe(1);
    await orm.close();
  });
});

it('the stamp of the annex is not the photo of the same number', async () => {
  expect(await kinds.em().findOne(Stamp, '3')).toBeNull();
  expect(await kinds.em().findOne(Photo, '3')).not.toBeNull();
});
