import { type EntityClass, defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { defineDataConfig, defineModule, deletionJournal, softDelete } from 'tombstone';
import { checkDeletion, deleteRows, deletion, DeletionError } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { emptyTestDatabase } from '../support/database.ts';
import { databaseWith } from './fixtures/music.ts';

let url: string;
beforeAll(async () => {
  url = await databaseWith('select 1');
});

/** What the compiler knows of the classes. */
interface Marked {
  deletedAt?: Date | null;
}

let made = 0;

interface Case {
  /** ON DELETE and the rest of the foreign key's column. */
  readonly column: string;
  readonly policy?: string;
  readonly deleteRule?: string;
  readonly softChild?: boolean;
  readonly registerChild?: boolean;
  readonly registerParent?: boolean;
  /** More SQL. */
  readonly also?: string;
}

/** Starts with a parent and a child of these forms, and answers what `checkDeletion` says. */
async function started(one: Case): Promise<DeletionError | undefined> {
  const {
    column,
    policy,
    deleteRule,
    softChild = true,
    registerChild = true,
    registerParent = true,
    also = '',
  } = one;
  made += 1;
  const [parents, children] = [`parents${made}`, `children${made}`];
  const client = await connect(url);
  const mark = softChild ? ', deleted_at timestamptz' : '';
  await client.query(`create table ${parents} (id bigserial primary key, deleted_at timestamptz);
    create table ${children} (id bigserial primary key, parent_id bigint ${column.replace('$p', parents)}${mark}); ${also.replaceAll('$c', children)}`);
  await client.end();
  const Parent = defineEntity({
    name: `Parent${made}`,
    tableName: parents,
    properties: { id: p.bigint().primary(), ...softDelete.properties() },
  });
  const parent = () =>
    p
      .manyToOne(Parent as never)
      .joinColumn('parent_id')
      .nullable();
  const Child = defineEntity({
    name: `Child${made}`,
    tableName: children,
    properties: {
      id: p.bigint().primary(),
      parent: deleteRule ? () => parent().deleteRule(deleteRule as never) : parent,
      ...(softChild ? softDelete.properties() : {}),
    },
  });
  const [parentClass, childClass] = [Parent, Child].map((schema) => {
    const made2 = { [schema.meta.className]: class extends schema.class {} }[
      schema.meta.className
    ] as unknown as EntityClass<Marked>;
    schema.setClass(made2 as never);
    return made2;
  }) as [EntityClass<Marked>, EntityClass<Marked>];
  softDelete.register(parentClass as never);
  if (registerParent) deletion.register(parentClass as never);
  if (softChild) softDelete.register(childClass as never);
  if (softChild && registerChild) deletion.register(childClass as never);
  if (policy) deletion.relations(childClass as never, { parent: policy } as never);
  const module = defineModule({
    name: 'policies',
    migrations: '/nowhere',
    entities: [parentClass, childClass],
  });
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [module, deletionJournal] }));
  try {
    await checkDeletion(orm.em.fork());
    return undefined;
  } catch (error) {
    if (error instanceof DeletionError) return error;
    throw error;
  } finally {
    await orm.close();
  }
}

const fk = (onDelete: string): string => `constraint parent_fkey references $p on delete ${onDelete}`;

describe('the policies and the foreign keys of the database', () => {
  it.each([
    ['cascade', 'cascade'],
    ['cascade', 'no action'],
    ['cascade', 'restrict'],
    ['restrict', 'no action'],
    ['restrict', 'restrict'],
    ['unlink', 'set null'],
    ['unlink', 'restrict'],
    ['keep', 'restrict'],
    ['keep', 'set null'],
    [undefined, 'cascade'],
    [undefined, 'set null'],
    [undefined, 'no action'],
  ])('agree: %s with ON DELETE %s', async (policy, onDelete) => {
    expect(await started({ column: fk(onDelete), ...(policy && { policy }) })).toBeUndefined();
  });

  it.each([
    ['cascade', 'set null'],
    ['cascade', 'set default'],
    ['restrict', 'cascade'],
    ['restrict', 'set null'],
    ['unlink', 'cascade'],
    ['keep', 'cascade'],
  ])('contradict each other: %s with ON DELETE %s', async (policy, onDelete) => {
    const error = await started({ column: fk(onDelete), policy });
    expect(error?.code).toBe('DELETION.CONTRADICTION');
    expect(error?.constraint).toBe('parent_fkey');
    expect(error?.message).toMatch(/parent_fkey.*Change the declaration, or the foreign key/);
  });

  it.each<[string, Case, string, RegExp]>([
    [
      'a NOT NULL column cannot be unlinked',
      { column: `not null ${fk('restrict')}`, policy: 'unlink' },
      'CONTRADICTION',
      /NOT NULL by a migration/,
    ],
    [
      'a generated column cannot be unlinked',
      { column: `generated always as (id - 1) stored ${fk('restrict')}`, policy: 'unlink' },
      'CONTRADICTION',
      /can be set to null/,
    ],
    [
      'a cascade reaches no row without a mark',
      { column: fk('cascade'), softChild: false, policy: 'cascade' },
      'CONTRADICTION',
      /Declare record/,
    ],
    [
      'ON DELETE CASCADE of such rows says nothing',
      { column: fk('cascade'), softChild: false },
      'UNDECLARED',
      /Declare one with deletion.relations/,
    ],
    ['SET DEFAULT says nothing', { column: fk('set default') }, 'UNDECLARED', /SET DEFAULT/],
    [
      'a cascade needs a registered child',
      { column: fk('cascade'), registerChild: false },
      'CONTRADICTION',
      /Call deletion.register\(Child/,
    ],
    [
      'rows with a mark are not removed',
      { column: fk('cascade'), policy: 'record' },
      'CONTRADICTION',
      /Declare cascade/,
    ],
    [
      'a declaration without a foreign key',
      { column: '', policy: 'cascade' },
      'CONTRADICTION',
      /no foreign key on children/,
    ],
    [
      'a declaration for a parent that does not register',
      { column: fk('cascade'), policy: 'cascade', registerParent: false },
      'CONTRADICTION',
      /Call deletion.register\(Parent/,
    ],
    [
      'a deleteRule of the entity that the database does not have',
      { column: fk('no action'), deleteRule: 'cascade' },
      'CONTRADICTION',
      /Change the entity, or the foreign key/,
    ],
    [
      'rows that others refer to are not removed',
      {
        column: fk('cascade'),
        softChild: false,
        policy: 'record',
        also: 'create table more_$c (id bigint references $c on delete cascade)',
      },
      'CONTRADICTION',
      /act unseen/,
    ],
  ])('%s', async (_name, one, code, sentence) => {
    const error = await started(one);
    expect(error?.code).toBe(`DELETION.${code}`);
    expect(error?.message).toMatch(sentence);
    expect(error?.message).toMatch(/\.$/);
  });

  it('are refused by the first deletion too, when nobody has checked', async () => {
    const { url: empty } = await emptyTestDatabase();
    const { Label, music } = await import('./fixtures/label-model.ts');
    const orm = await MikroORM.init(
      defineDataConfig({ clientUrl: empty, modules: [music, deletionJournal] }),
    );
    try {
      await expect(deleteRows(orm.em.fork(), Label, { id: '1' })).rejects.toMatchObject({
        code: 'DELETION.NO_JOURNAL',
      });
    } finally {
      await orm.close();
    }
  });

  it('are those of a whole table: a class of a hierarchy does not register alone', async () => {
    const Base = defineEntity({
      name: 'MediumBase',
      tableName: 'media_base',
      discriminatorColumn: 'kind',
      discriminatorValue: 'base',
      properties: { id: p.bigint().primary(), kind: p.string(), ...softDelete.properties() },
    });
    class MediumBase extends Base.class {}
    Base.setClass(MediumBase);
    const Child = defineEntity({
      name: 'MediumChild',
      extends: Base,
      discriminatorValue: 'child',
      properties: {},
    });
    class MediumChild extends Child.class {}
    Child.setClass(MediumChild);
    softDelete.register(MediumBase);
    softDelete.register(MediumChild);
    deletion.register(MediumChild);
    const module = defineModule({
      name: 'media',
      migrations: '/nowhere',
      entities: [MediumBase, MediumChild],
    });
    const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [module, deletionJournal] }));
    try {
      await expect(checkDeletion(orm.em.fork())).rejects.toMatchObject({
        code: 'DELETION.CONTRADICTION',
        message: expect.stringMatching(/Call deletion.register\(MediumBase\)/),
      });
    } finally {
      await orm.close();
    }
  });

  it('are not asked of a class that is not soft-deletable', () => {
    class Plain {
      deletedAt?: Date | null;
    }
    expect(() => deletion.register(Plain)).toThrow(/Call softDelete.register\(Plain\) first/);
  });
});
