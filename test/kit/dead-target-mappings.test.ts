import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { bigintId, type DeadTarget, defineDataConfig, defineModule, softDelete } from 'tombstone';

type Entities = Parameters<typeof defineModule>[0]['entities'];
type Declare = (target: abstract new () => object, policies: Record<string, DeadTarget>) => void;
const declare = softDelete.deadTargets as unknown as Declare;

/** Starts an ORM without a connection; only the mapping is looked at. */
const start = async (...entities: Entities[number][]) => {
  const modules = [defineModule({ name: 'mapped', migrations: '/nowhere', entities })];
  const clientUrl = 'postgresql://nobody@127.0.0.1:1/nowhere';
  const orm = await MikroORM.init(defineDataConfig({ clientUrl, modules, connect: false } as never));
  await orm.close();
};

const refused = (...parts: string[]) => ({
  code: 'SOFT_DELETE.MAPPING',
  message: expect.stringMatching(new RegExp(parts.join('.*'))),
});

/** Classes anew for each test, because a declaration stays with its class. */
function model() {
  const WardSchema = defineEntity({
    name: 'Ward',
    properties: {
      id: bigintId(),
      label: p.string(),
      beds: () => p.oneToMany(BedSchema).mappedBy('ward'),
      nurses: () => p.manyToMany(WardSchema),
      ...softDelete.properties(),
    },
  });
  class Ward extends WardSchema.class {}
  WardSchema.setClass(Ward);
  softDelete.register(Ward);

  const KeySchema = defineEntity({ name: 'Key', properties: { id: bigintId() } });
  class Key extends KeySchema.class {}
  KeySchema.setClass(Key);

  const BedSchema = defineEntity({
    name: 'Bed',
    properties: {
      id: bigintId(),
      ward: () => p.manyToOne(WardSchema),
      spare: () => p.manyToOne(WardSchema).nullable(),
      wardId: () => p.manyToOne(WardSchema).mapToPk(),
      key: () => p.manyToOne(KeySchema),
      lamp: () => p.oneToOne(LampSchema).mappedBy('bed').nullable(),
    },
  });
  class Bed extends BedSchema.class {}
  BedSchema.setClass(Bed);

  const LampSchema = defineEntity({
    name: 'Lamp',
    properties: {
      bed: () => p.oneToOne(BedSchema).primary(),
      ward: () => p.oneToOne(WardSchema).nullable(),
      ...softDelete.properties(),
    },
  });
  class Lamp extends LampSchema.class {}
  LampSchema.setClass(Lamp);
  softDelete.register(Lamp);
  return { Ward, Bed, Key, Lamp };
}

let classes: ReturnType<typeof model>;
beforeEach(() => {
  classes = model();
});
const all = () => start(classes.Ward, classes.Bed, classes.Key, classes.Lamp);

describe('when the ORM starts, a NOT NULL relation to a soft-deletable entity', () => {
  it('is refused without a declaration, with the line to write', async () => {
    await expect(all()).rejects.toMatchObject(
      refused(
        '^Bed\\.ward is NOT NULL',
        "softDelete\\.deadTargets\\(Bed, { ward: 'null' }\\)",
        "'stub'",
        "'hide'\\.$",
      ),
    );
  });

  it.each(['null', 'stub', 'hide'] as const)('is accepted with %s', async (ward) => {
    softDelete.deadTargets(classes.Bed, { ward });
    // A row that may be hidden is, for the rows that lead to it, as one that may be dead.
    if (ward === 'hide') {
      await expect(all()).rejects.toMatchObject(refused('^Lamp\\.bed is NOT NULL'));
      softDelete.deadTargets(classes.Lamp, { bed: 'stub' });
    }
    await expect(all()).resolves.toBeUndefined();
  });

  it('is refused as an owning one-to-one, and as part of the key with the answers that a key can give', async () => {
    const schema = defineEntity({
      name: 'Chart',
      properties: { ward: () => p.oneToOne(classes.Ward).primary() },
    });
    class Chart extends schema.class {}
    schema.setClass(Chart);
    softDelete.deadTargets(classes.Bed, { ward: 'stub' });
    const begin = () => start(classes.Ward, classes.Bed, classes.Key, classes.Lamp, Chart);
    await expect(begin()).rejects.toMatchObject(
      refused('^Chart\\.ward is NOT NULL', "{ ward: 'stub' }", "'hide'\\.$"),
    );
    softDelete.deadTargets(Chart, { ward: 'null' });
    await expect(begin()).rejects.toMatchObject(
      refused('^Chart\\.ward is part of the primary key', "'stub'"),
    );
    softDelete.deadTargets(Chart, { ward: 'hide' });
    await expect(begin()).resolves.toBeUndefined();
  });

  it('is refused in an explicit link entity and not in a generated link table', async () => {
    const RoundSchema = defineEntity({
      name: 'Round',
      properties: {
        id: bigintId(),
        wards: () => p.manyToMany(classes.Ward).pivotEntity(() => Stop),
      },
    });
    class Round extends RoundSchema.class {}
    RoundSchema.setClass(Round);
    const StopSchema = defineEntity({
      name: 'Stop',
      properties: {
        id: bigintId(),
        round: () => p.manyToOne(Round),
        ward: () => p.manyToOne(classes.Ward),
      },
    });
    class Stop extends StopSchema.class {}
    StopSchema.setClass(Stop);
    softDelete.deadTargets(classes.Bed, { ward: 'null' });
    const begin = () => start(classes.Ward, classes.Bed, classes.Key, classes.Lamp, Round, Stop);
    await expect(begin()).rejects.toMatchObject(refused('^Stop\\.ward is NOT NULL'));
    softDelete.deadTargets(Stop, { ward: 'null' });
    await expect(begin()).resolves.toBeUndefined();
  });

  it('is refused in a child of a single-table hierarchy, which inherits the declaration of its parent', async () => {
    const RoomSchema = defineEntity({
      name: 'Room',
      discriminatorColumn: 'kind',
      properties: { id: bigintId(), kind: p.string(), floor: () => p.manyToOne(classes.Ward) },
    });
    class Room extends RoomSchema.class {}
    RoomSchema.setClass(Room);
    const TheatreSchema = defineEntity({
      name: 'Theatre',
      extends: RoomSchema,
      properties: { stage: () => p.manyToOne(classes.Ward) },
    });
    class Theatre extends TheatreSchema.class {}
    TheatreSchema.setClass(Theatre);
    softDelete.deadTargets(classes.Bed, { ward: 'null' });
    softDelete.deadTargets(Room, { floor: 'stub' });
    const begin = () => start(classes.Ward, classes.Bed, classes.Key, classes.Lamp, Room, Theatre);
    await expect(begin()).rejects.toMatchObject(refused('^Theatre\\.stage is NOT NULL'));
    softDelete.deadTargets(Theatre, { stage: 'null' });
    await expect(begin()).resolves.toBeUndefined();
  });
});

describe('when the ORM starts, a declaration is refused', () => {
  it.each([
    ['for a property that does not exist', 'Bed', 'colour'],
    ['for a column', 'Ward', 'label'],
    ['for a collection', 'Ward', 'beds'],
    ['for a many-to-many relation', 'Ward', 'nurses'],
    ['for an inverse side', 'Bed', 'lamp'],
    ['for a relation to an entity that is not soft-deletable', 'Bed', 'key'],
    ['for a plain key value', 'Bed', 'wardId'],
  ] as const)('%s', async (_case, entity, property) => {
    softDelete.deadTargets(classes.Bed, { ward: 'null' });
    declare(classes[entity], { [property]: 'stub' });
    await expect(all()).rejects.toMatchObject(
      refused(`^${entity}\\.${property} is declared in softDelete\\.deadTargets`, 'Remove it'),
    );
  });

  it('when it leads back to what it hides, over any number of relations', async () => {
    softDelete.deadTargets(classes.Bed, { ward: 'hide' });
    softDelete.deadTargets(classes.Lamp, { bed: 'hide' });
    await expect(all()).resolves.toBeUndefined();
    const KeeperSchema = defineEntity({
      name: 'Keeper',
      properties: {
        id: bigintId(),
        lamp: () => p.oneToOne(classes.Lamp),
        boss: () => p.manyToOne(KeeperSchema).nullable(),
        ...softDelete.properties(),
      },
    });
    class Keeper extends KeeperSchema.class {}
    KeeperSchema.setClass(Keeper);
    softDelete.register(Keeper);
    const begin = () => start(classes.Ward, classes.Bed, classes.Key, classes.Lamp, Keeper);
    softDelete.deadTargets(Keeper, { lamp: 'hide' });
    await expect(begin()).resolves.toBeUndefined();
    softDelete.deadTargets(Keeper, { boss: 'hide' });
    await expect(begin()).rejects.toMatchObject(
      refused('^Keeper\\.boss hides its owner', 'Keeper to Keeper', "'null' or 'stub'"),
    );
  });

  it('when two children of a single-table hierarchy answer differently for one property', async () => {
    const RoomSchema = defineEntity({
      name: 'Room',
      discriminatorColumn: 'kind',
      properties: { id: bigintId(), kind: p.string() },
    });
    class Room extends RoomSchema.class {}
    RoomSchema.setClass(Room);
    const child = (name: string) => {
      const schema = defineEntity({
        name,
        extends: RoomSchema,
        properties: { ward: () => p.manyToOne(classes.Ward).nullable() },
      });
      const Child = { [name]: class extends schema.class {} }[name] as typeof schema.class;
      schema.setClass(Child);
      return Child;
    };
    const [Theatre, Kitchen] = [child('Theatre'), child('Kitchen')];
    softDelete.deadTargets(classes.Bed, { ward: 'null' });
    declare(Theatre, { ward: 'stub' });
    const begin = () => start(classes.Ward, classes.Bed, classes.Key, classes.Lamp, Room, Theatre, Kitchen);
    await expect(begin()).rejects.toMatchObject(refused('^Room\\.ward has different answers'));
    declare(Kitchen, { ward: 'stub' });
    await expect(begin()).resolves.toBeUndefined();
  });

  it('when it would hide the rows of a table-per-type hierarchy', async () => {
    const parent = defineEntity({
      name: 'Vehicle',
      inheritance: 'tpt',
      properties: { id: bigintId(), ward: () => p.manyToOne(classes.Ward).nullable() },
    });
    class Vehicle extends parent.class {}
    parent.setClass(Vehicle);
    const schema = defineEntity({ name: 'Lorry', extends: parent, properties: { load: p.integer() } });
    class Lorry extends schema.class {}
    schema.setClass(Lorry);
    softDelete.deadTargets(classes.Bed, { ward: 'null' });
    softDelete.deadTargets(Vehicle, { ward: 'hide' });
    await expect(
      start(classes.Ward, classes.Bed, classes.Key, classes.Lamp, Vehicle, Lorry),
    ).rejects.toMatchObject(refused('\\.ward cannot hide a row of a table-per-type hierarchy'));
  });

  it('with an answer that does not exist', async () => {
    declare(classes.Bed, { ward: 'nothing' as DeadTarget });
    await expect(all()).rejects.toMatchObject(refused('^Bed\\.ward has an unknown answer'));
  });
});

it('a name that is no to-one relation does not compile', () => {
  // @ts-expect-error a column
  softDelete.deadTargets(classes.Ward, { label: 'null' });
  // @ts-expect-error a collection
  softDelete.deadTargets(classes.Ward, { beds: 'null' });
  // @ts-expect-error a plain key value
  softDelete.deadTargets(classes.Bed, { wardId: 'null' });
  // @ts-expect-error an answer that does not exist
  softDelete.deadTargets(classes.Bed, { ward: 'gone' });
  softDelete.deadTargets(classes.Bed, { ward: 'null', spare: 'stub' });
});
