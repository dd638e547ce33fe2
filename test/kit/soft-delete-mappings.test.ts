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
});
