import { helper, type Ref, serialize, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Museum, openMuseum } from './fixtures/museum.ts';
import { Exhibit, Label, Permit, Person, type Sculpture } from './fixtures/museum-model.ts';

// The curator of exhibit 9 is dead; so is the teacher of its guide.
const WORLD = `
  insert into exhibit (id, artwork_id, critic_id, curator_id, guide_id, owner_id, place_wing, place_number) values
    (9, 6, 2, 2, 4, 1, 'B', 2);
  insert into label (id, text, exhibit_id) values (1, 'one', 9);
  insert into permit (exhibit_id, guard_id) values (9, 2)`;

let museum: Museum;
beforeAll(async () => {
  museum = await openMuseum();
});
beforeEach(async () => {
  await museum.reset();
  await museum.rows(WORLD);
});
afterAll(() => museum.close());

const strategies = ['joined', 'select-in', 'balanced'] as const;
const everything = ['curator', 'critic', 'guide.teacher', 'place', 'artwork'] as const;
const stub = (target: unknown) => [
  wrap(target as object).isInitialized(),
  helper(target as object)
    .getPrimaryKeys()
    ?.join(','),
];

describe.each(strategies)('a stub, loaded %s', (strategy) => {
  it('is written by no later flush, beside a change that is', async () => {
    const em = museum.em();
    const [exhibit] = await em.find(Exhibit, {}, { populate: everything, strategy });
    museum.statements();
    await em.flush();
    expect(museum.statements()).toEqual([]);
    Object.assign(exhibit as Exhibit, { note: 'x' });
    await em.flush();
    const rows = 'select note, critic_id, curator_id, guide_id, place_wing, place_number from exhibit';
    expect(await museum.rows(rows)).toEqual([
      { note: 'x', critic_id: '2', curator_id: '2', guide_id: '4', place_wing: 'B', place_number: 2 },
    ]);
  });

  it('is found below other relations, one level down and from the other side', async () => {
    const em = museum.em();
    const [label] = await em.find(
      Label,
      {},
      { populate: ['exhibit.curator', 'exhibit.guide.teacher', 'exhibit.place'], strategy },
    );
    expect(label?.exhibit.id).toBe('9');
    expect(stub(label?.exhibit.curator)).toEqual([false, '2']);
    expect(stub(label?.exhibit.place)).toEqual([false, 'B,2']);
    expect(stub(label?.exhibit.guide?.unwrap().teacher)).toEqual([false, '2']);
  });

  it('has nothing loaded below it', async () => {
    const em = museum.em();
    const [exhibit] = await em.find(
      Exhibit,
      {},
      { populate: ['curator.teacher', 'curator.critiques'], strategy },
    );
    expect(stub(exhibit?.curator)).toEqual([false, '2']);
    expect(exhibit?.curator.teacher ?? null).toBeNull();
    expect(exhibit?.curator.critiques?.isInitialized() ?? false).toBe(false);
  });

  it('serialises as its key', async () => {
    const em = museum.em();
    const [exhibit] = await em.find(Exhibit, {}, { populate: everything, strategy });
    const plain = { curator: '2', critic: null };
    expect(wrap(exhibit as Exhibit).toPOJO()).toMatchObject(plain);
    expect(JSON.parse(JSON.stringify(exhibit))).toMatchObject(plain);
    expect(serialize(exhibit as Exhibit, { populate: ['curator', 'critic'] as never })).toMatchObject(plain);
  });

  it('becomes the row when that is restored, in an entity manager that is asked again', async () => {
    const em = museum.em();
    const [exhibit] = await em.find(Exhibit, {}, { populate: ['curator'], strategy });
    expect(stub(exhibit?.curator)).toEqual([false, '2']);
    await museum.em().getRepository(Person).restoreByKey('2');
    await em.find(Exhibit, {}, { populate: ['curator'], strategy });
    expect(exhibit?.curator.name).toBe('Bob');
  });

  it('is the row itself inside withDeleted', async () => {
    const name = await museum.em().withDeleted(async (em) => {
      const [exhibit] = await em.find(Exhibit, {}, { populate: ['curator', 'critic'], strategy });
      return [exhibit?.curator.name, exhibit?.critic.name];
    });
    expect(name).toEqual(['Bob', 'Bob']);
  });

  it('stands in an entity whose key it is', async () => {
    const [permit] = await museum.em().find(Permit, {}, { populate: ['guard', 'exhibit'], strategy });
    expect(stub(permit?.guard)).toEqual([false, '2']);
    expect(permit?.exhibit.id).toBe('9');
  });
});

describe('a stub', () => {
  it('costs a query that joins no further one', async () => {
    const em = museum.em();
    museum.statements();
    await em.find(Exhibit, {}, { populate: everything, strategy: 'joined' });
    expect(museum.statements()).toHaveLength(1);
  });

  it('shows in a child of a single-table hierarchy that is loaded as its root', async () => {
    const options = { populate: ['artwork.quarry' as never] };
    const exhibit = await museum.em().findOneOrFail(Exhibit, '9', options);
    expect(stub((exhibit.artwork as unknown as Sculpture).quarry)).toEqual([false, 'B,2']);
  });

  it('is refused by loadOrFail, and by a change to it', async () => {
    const em = museum.em();
    const exhibit = await em.findOneOrFail(Exhibit, '9');
    const reference = wrap(exhibit.curator).toReference() as unknown as Ref<Person>;
    await expect(reference.loadOrFail()).rejects.toMatchObject({ code: 'DATA.NOT_FOUND' });
    exhibit.curator.name = 'x';
    await expect(em.flush()).rejects.toMatchObject({ code: 'DATA.SOFT_DELETED_ROW' });
  });

  it('stays when its target dies while it is loaded, and the flush keeps the key', async () => {
    const em = museum.em();
    const exhibit = await em.findOneOrFail(Exhibit, '9', { populate: ['guide'] });
    await em.remove(exhibit.guide?.unwrap() as Person).flush();
    await em.populate(exhibit, ['guide']);
    expect(stub(exhibit.guide)).toEqual([false, '4']);
    exhibit.note = 'x';
    await em.flush();
    expect(await museum.rows('select note, guide_id from exhibit')).toEqual([{ note: 'x', guide_id: '4' }]);
  });

  it('is given up for the null or the other target that the program sets', async () => {
    const em = museum.em();
    const exhibit = await em.findOneOrFail(Exhibit, '9', { populate: ['curator', 'guide'] });
    exhibit.guide = null;
    exhibit.curator = em.getReference(Person, '3');
    await em.flush();
    expect(await museum.rows('select curator_id, guide_id from exhibit')).toEqual([
      { curator_id: '3', guide_id: null },
    ]);
  });
});
