import { describe, expect, it } from '@jest/globals';
import { defineConfig, defineEntity, p } from '@mikro-orm/postgresql';
import { bigintId, defineDataConfig, defineModule, doctorConfig, softDelete } from 'tombstone';

const PersonSchema = defineEntity({
  name: 'Person',
  schema: 'people',
  properties: {
    id: bigintId(),
    clubs: () => p.manyToMany(Club).owner(),
    ...softDelete.properties(),
  },
});
class Person extends PersonSchema.class {}
PersonSchema.setClass(Person);
softDelete.register(Person);

const ClubSchema = defineEntity({
  name: 'Club',
  properties: { id: bigintId(), removedAt: p.datetime().nullable() },
});
class Club extends ClubSchema.class {}
ClubSchema.setClass(Club);

const AnimalSchema = defineEntity({
  name: 'Animal',
  tableName: 'animals',
  discriminatorColumn: 'kind',
  abstract: true,
  properties: { id: bigintId(), kind: p.string(), owner: () => p.manyToOne(Person).nullable() },
});
class Animal extends AnimalSchema.class {}
AnimalSchema.setClass(Animal);

const DogSchema = defineEntity({
  name: 'Dog',
  extends: AnimalSchema,
  discriminatorValue: 'dog',
  properties: { walker: () => p.manyToOne(Person).nullable(), club: () => p.manyToOne(Club).nullable() },
});
class Dog extends DogSchema.class {}
DogSchema.setClass(Dog);
softDelete.deadTargets(Dog, { walker: 'stub' });

const entities = [Person, Club, Animal, Dog];
const waiver = { rule: 'D101', about: ['people.people_name_key'], reason: 'Names are kept.' };

describe('what a configuration tells the doctor', () => {
  it('are the tables of soft-deletable entities, and their relations with or without an answer', async () => {
    const module = defineModule({ name: 'zoo', migrations: '/zoo', entities, waivers: [waiver] });
    const config = defineDataConfig({
      clientUrl: '',
      modules: [module],
      doctor: { marks: ['gone'], waivers: [{ ...waiver, rule: 'D102' }] },
    });
    expect(await doctorConfig(config)).toEqual({
      model: {
        tables: [{ schema: 'people', table: 'person', deletedAt: 'deleted_at' }],
        relations: [
          { name: 'Dog.owner', isDeclared: false },
          { name: 'Dog.walker', isDeclared: true },
        ],
        deletedByPolicy: [],
      },
      marks: ['gone'],
      waivers: [waiver, { ...waiver, rule: 'D102' }],
    });
  });

  it('is nothing when it has no entities, whoever has made it', async () => {
    const nothing = { model: {}, marks: [], waivers: [] };
    expect(await doctorConfig({})).toEqual(nothing);
    expect(await doctorConfig(defineDataConfig({ clientUrl: '', modules: [] }))).toEqual(nothing);
  });

  it('are no soft-deletable tables in a configuration of MikroORM alone', async () => {
    const { model } = await doctorConfig(defineConfig({ dbName: 'zoo', entities: [Club] }) as never);
    expect(model).toEqual({ tables: [], relations: [], deletedByPolicy: [] });
  });
});
