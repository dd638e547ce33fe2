import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { describe, expect, it } from '@jest/globals';
import { bigintId, defineDataConfig, defineModule, softDelete } from 'tombstone';

type Entities = Parameters<typeof defineModule>[0]['entities'];

/** Starts an ORM without a connection; only the mapping is looked at. */
const start = async (entities: Entities) => {
  const modules = [defineModule({ name: 'mapped', migrations: '/nowhere', entities })];
  const clientUrl = 'postgresql://nobody@127.0.0.1:1/nowhere';
  const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules, connect: false } as never));
  await orm.close();
};

const refused = (message: RegExp) => ({
  code: 'SOFT_DELETE.MAPPING',
  message: expect.stringMatching(message),
});

describe('when the ORM starts', () => {
  it('an entity with both steps of the mixin is accepted', async () => {
    const schema = defineEntity({
      name: 'Whole',
      properties: { id: bigintId(), ...softDelete.properties() },
    });
    class Whole extends schema.class {}
    schema.setClass(Whole);
    softDelete.register(Whole);
    await expect(start([Whole])).resolves.toBeUndefined();
  });

  it('a class that is registered but has no deletedAt is refused', async () => {
    const schema = defineEntity({ name: 'Registered', properties: { id: bigintId() } });
    class Registered extends schema.class {}
    schema.setClass(Registered);
    softDelete.register(Registered);
    await expect(start([Registered])).rejects.toMatchObject(
      refused(/^Registered .* softDelete\.properties\(\)/),
    );
  });

  it('an entity with deletedAt whose class is not registered is refused', async () => {
    const schema = defineEntity({ name: 'Bare', properties: { id: bigintId(), ...softDelete.properties() } });
    class Bare extends schema.class {}
    schema.setClass(Bare);
    await expect(start([Bare])).rejects.toMatchObject(refused(/^Bare .* softDelete\.register/));
  });

  it('soft delete on a table-per-type hierarchy is refused', async () => {
    const parent = defineEntity({
      name: 'Vehicle',
      inheritance: 'tpt',
      properties: { id: bigintId(), ...softDelete.properties() },
    });
    class Vehicle extends parent.class {}
    parent.setClass(Vehicle);
    softDelete.register(Vehicle);
    const child = defineEntity({ name: 'Lorry', extends: parent, properties: { load: p.integer() } });
    class Lorry extends child.class {}
    child.setClass(Lorry);
    await expect(start([Vehicle, Lorry])).rejects.toMatchObject(refused(/table-per-type/));
  });

  it('the upsert policy beside needs a unique for live rows only', async () => {
    const tune = (where?: object) => {
      const schema = defineEntity({
        name: 'Tune',
        properties: { id: bigintId(), name: p.string(), ...softDelete.properties() },
        uniques: [{ properties: ['name'], ...(where && { where }) }],
      });
      class Tune extends schema.class {}
      schema.setClass(Tune);
      softDelete.register(Tune, { upsert: 'beside' });
      return Tune;
    };
    await expect(start([tune()])).rejects.toMatchObject(refused(/^Tune .*where: \{ deletedAt: null \}/));
    await expect(start([tune({ name: 'x' })])).rejects.toMatchObject(refused(/^Tune /));
    await expect(start([tune({ deletedAt: null })])).resolves.toBeUndefined();
  });

  it('an upsert policy that does not exist is refused where it is written', () => {
    const schema = defineEntity({ name: 'Odd', properties: { id: bigintId() } });
    expect(() => softDelete.register(schema.class, { upsert: 'replace' as never })).toThrow(
      /revive, refuse, beside/,
    );
  });

  it('a polymorphic many-to-many relation with a soft-deletable end is refused, and accepted without one', async () => {
    const entities = (mark: boolean) => {
      const mixin = () => (mark ? softDelete.properties() : {});
      const markSchema = defineEntity({ name: 'Mark', properties: { id: bigintId(), ...mixin() } });
      class Mark extends markSchema.class {}
      markSchema.setClass(Mark);
      const page = defineEntity({
        name: 'Page',
        properties: {
          id: bigintId(),
          marks: () => p.manyToMany(Mark).pivotTable('marking').discriminator('marked').owner(),
        },
      });
      class Page extends page.class {}
      page.setClass(Page);
      if (mark) softDelete.register(Mark);
      return [Mark, Page];
    };
    await expect(start(entities(false))).resolves.toBeUndefined();
    await expect(start(entities(true))).rejects.toMatchObject(
      refused(/^Page\.marks .* Map the link table as an entity/),
    );
  });

  it('the mixin on a child of a single-table hierarchy is refused, because its root would show deleted rows', async () => {
    const root = defineEntity({
      name: 'Shape',
      abstract: true,
      discriminatorColumn: 'kind',
      properties: { id: bigintId(), kind: p.string() },
    });
    class Shape extends root.class {}
    root.setClass(Shape);
    const child = defineEntity({
      name: 'Circle',
      extends: root,
      discriminatorValue: 'circle',
      properties: { ...softDelete.properties() },
    });
    class Circle extends child.class {}
    child.setClass(Circle);
    softDelete.register(Circle);
    await expect(start([Shape, Circle])).rejects.toMatchObject(refused(/^Circle .* Move the mixin to Shape/));
  });

  it.each([
    ['not nullable', () => p.datetime().columnType('timestamptz')],
    ['no column', () => p.datetime().nullable().persist(false)],
  ] as const)('a deletedAt that is %s is refused', async (_name, deletedAt) => {
    const schema = defineEntity({
      name: 'Odd',
      properties: { id: bigintId(), deletedAt: deletedAt() as never },
    });
    class Odd extends schema.class {}
    schema.setClass(Odd);
    softDelete.register(Odd);
    await expect(start([Odd])).rejects.toMatchObject(refused(/^Odd .* nullable column/));
  });

  it('the mixin on an embeddable is refused, and a plain deletedAt in one is data like any other', async () => {
    const entities = (mark: boolean) => {
      const part = defineEntity({
        name: 'Part',
        embeddable: true,
        properties: { name: p.string(), ...softDelete.properties() },
      });
      class Part extends part.class {}
      part.setClass(Part);
      if (mark) softDelete.register(Part);
      const whole = defineEntity({
        name: 'Machine',
        properties: { id: bigintId(), part: () => p.embedded(Part).object() },
      });
      class Machine extends whole.class {}
      whole.setClass(Machine);
      return [Part, Machine];
    };
    await expect(start(entities(false))).resolves.toBeUndefined();
    await expect(start(entities(true))).rejects.toMatchObject(refused(/^Part is embedded/));
  });

  it('the mixin on an abstract base class, with a table for each child, is accepted and found in the children', async () => {
    const base = defineEntity({
      name: 'Base',
      abstract: true,
      properties: { id: bigintId(), ...softDelete.properties() },
    });
    class Base extends base.class {}
    base.setClass(Base);
    softDelete.register(Base);
    const child = defineEntity({ name: 'Derived', extends: base, properties: { name: p.string() } });
    class Derived extends child.class {}
    child.setClass(Derived);
    const modules = [defineModule({ name: 'mapped', migrations: '/nowhere', entities: [Base, Derived] })];
    const clientUrl = 'postgresql://nobody@127.0.0.1:1/nowhere';
    const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules, connect: false } as never));
    expect(orm.em.createQueryBuilder(Derived, 'd').getQuery()).toContain('"d"."deleted_at" is null');
    await orm.close();
  });
});
