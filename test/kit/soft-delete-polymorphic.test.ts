import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Kinds, openKinds } from './fixtures/kinds.ts';
import { Caption, Clip, Photo, Remark, Source } from './fixtures/kinds-model.ts';

let kinds: Kinds;
beforeAll(async () => {
  kinds = await openKinds();
});
afterAll(() => kinds.close());

// The photo and the clip of the same number are different rows; photo 2 and clip 1 are dead.
beforeEach(async () => {
  await kinds.rows('truncate photo, clip, source, remark, caption restart identity');
  await kinds.rows(`
    insert into photo (title, deleted_at) values ('sea', null), ('old sea', now());
    insert into clip (title, poster_id, deleted_at) values ('old walk', 1, now()), ('walk', 2, null);
    insert into source (title) values ('archive');
    insert into remark (text, subject_type, subject_id, about_type, about_id, deleted_at) values
      ('on sea', 'photo', 1, 'clip', 2, null), ('on old sea', 'photo', 2, 'clip', 1, null),
      ('on old walk', 'clip', 1, 'photo', 1, null), ('on walk', 'clip', 2, 'source', 1, null),
      ('gone', 'photo', 1, 'photo', 2, now());
    insert into caption (text, subject_type, subject_id, deleted_at) values
      ('sea at noon', 'photo', 1, null), ('old caption', 'clip', 2, now());`);
});

const key = (id: number) => String(id);
const STRATEGIES = ['joined', 'select-in', 'balanced'] as const;

describe.each(STRATEGIES)('a populated polymorphic relation, %s', (strategy) => {
  const read = (em: ReturnType<Kinds['em']>) =>
    em.find(Remark, {}, { populate: ['subject', 'about'], strategy, orderBy: { id: 1 } });

  it('shows the live target of each table, null for a dead one, and keeps the owner', async () => {
    const remarks = await read(kinds.em());
    expect(remarks.map(({ text }) => text)).toEqual(['on sea', 'on old sea', 'on old walk', 'on walk']);
    const shown = remarks.map(({ subject, about }) => [subject?.title, about?.unwrap()?.title]);
    expect(shown).toEqual([
      ['sea', 'walk'],
      [undefined, undefined],
      [undefined, 'sea'],
      ['walk', 'archive'],
    ]);
  });

  it('shows the dead targets too inside skipSoftDelete', async () => {
    const titles = await kinds
      .em()
      .skipSoftDelete(async (em) => (await read(em)).map(({ subject }) => subject.title));
    expect(titles).toEqual(['sea', 'old sea', 'old walk', 'walk', 'sea']);
  });

  it('writes no key of a dead target when its owner changes', async () => {
    const em = kinds.em();
    const remarks = await read(em);
    for (const remark of remarks) remark.text += '!';
    await em.flush();
    const stored = await kinds.rows(
      'select subject_type, subject_id, about_type, about_id from remark where id = 2',
    );
    expect(stored).toEqual([{ subject_type: 'photo', subject_id: '2', about_type: 'clip', about_id: '1' }]);
  });

  it('shows the live inverse sides only', async () => {
    const em = kinds.em();
    const populate = ['remarks', 'mentions', 'caption'] as const;
    const photo = await em.findOneOrFail(Photo, key(1), { populate, strategy });
    const clip = await em.findOneOrFail(Clip, key(2), { populate, strategy });
    expect(photo.remarks.getItems().map(({ text }) => text)).toEqual(['on sea']);
    expect(photo.mentions.getItems().map(({ text }) => text)).toEqual(['on old walk']);
    expect(photo.caption?.text).toBe('sea at noon');
    expect(clip.remarks.getItems().map(({ text }) => text)).toEqual(['on walk']);
    expect(clip.caption).toBeNull();
  });
});

// By a join, the core reads a relation of a relation only where the targets of every class have one of that name.
describe.each(['select-in', 'balanced'] as const)('a relation of a polymorphic target, %s', (strategy) => {
  it('keeps the owner of a live target whose own required target is dead', async () => {
    const read = (em: ReturnType<Kinds['em']>) =>
      em.find(Remark, { text: 'on walk' }, { populate: ['subject.poster'] as never, strategy });
    const poster = ([remark]: Remark[]) => (remark?.subject as Clip | undefined)?.poster as Photo | null;
    const remarks = await read(kinds.em());
    expect(remarks).toHaveLength(1);
    expect(remarks[0]?.subject.title).toBe('walk');
    expect(poster(remarks)?.title).toBeUndefined();
    const all = await kinds.em().skipSoftDelete(async (em) => poster(await read(em))?.title);
    expect(all).toBe('old sea');
  });
});

describe('a condition over a polymorphic relation', () => {
  it('reaches live rows only, from the owner and from the inverse side', async () => {
    const em = kinds.em();
    expect(await em.count(Remark, { subject: { title: 'sea' } })).toBe(1);
    expect(await em.count(Remark, { subject: { title: 'old sea' } })).toBe(0);
    expect(await em.count(Photo, { remarks: { text: 'gone' } })).toBe(0);
    expect(await em.count(Photo, { mentions: { $some: {} } })).toBe(1);
    const all = await em.skipSoftDelete(async (skip) => [
      await skip.count(Remark, { subject: { title: 'old sea' } }),
      await skip.count(Photo, { remarks: { text: 'gone' } }),
      await skip.count(Photo, { mentions: { $some: {} } }),
    ]);
    expect(all).toEqual([1, 1, 2]);
  });
});

describe('the removal of a row that polymorphic relations refer to', () => {
  const keys = () =>
    kinds.rows('select subject_type, subject_id, about_type, about_id from remark order by id');

  it.each([
    ['Photo', Photo, 1],
    ['Clip', Clip, 2],
  ] as const)('keeps the keys of the loaded referrers of a %s', async (_name, entity, id) => {
    const before = await keys();
    const em = kinds.em();
    await em.find(Remark, {}, { populate: ['subject', 'about'] });
    const found = await em.findOneOrFail(entity as typeof Photo, key(id), {
      populate: ['remarks', 'mentions'],
    });
    em.remove(found);
    await em.flush();
    for (const remark of await em.find(Remark, {})) remark.text += '!';
    await em.flush();
    expect(await keys()).toEqual(before);
    expect(await em.findOne(entity as typeof Photo, key(id))).toBeNull();
  });

  it('does not take the row of another table for the removed one of the same number', async () => {
    const em = kinds.em();
    const [remark] = await em.find(Remark, { text: 'on walk' }, { populate: ['about'] });
    await kinds.rows(`insert into photo (id, title) values (4, 'four')`);
    await kinds.rows(`insert into clip (id, title, poster_id) values (4, 'vier', 1)`);
    const clip = await em.findOneOrFail(Clip, key(4));
    if (remark) remark.subject = clip;
    await em.flush();
    em.remove(await em.findOneOrFail(Photo, key(4)));
    await em.flush();
    expect(remark?.subject).toBe(clip);
  });

  it('would empty the keys if the row were removed physically', async () => {
    await kinds.rows('update clip set poster_id = 2');
    await kinds.em().skipSoftDelete(async (em) => {
      em.remove(await em.findOneOrFail(Photo, key(1), { populate: ['mentions'] }));
      await em.flush();
    });
    expect(await kinds.rows(`select about_type from remark where text = 'on old walk'`)).toEqual([
      { about_type: null },
    ]);
  });
});

it('a target without soft delete is shown as it is', async () => {
  const em = kinds.em();
  const [remark] = await em.find(Remark, { text: 'on walk' }, { populate: ['about'] });
  expect(remark?.about?.unwrap()).toBeInstanceOf(Source);
  expect(await em.count(Caption)).toBe(1);
});
