import { type EntityMetadata, LockMode, ReferenceKind } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { DELETED_AT, upsertPolicyOf } from '../../soft-delete/index.ts';
import { type Absence, plantAbsent } from './absence.ts';
import { countOf, keyOf } from './canaries.ts';
import { classOf, type Probe, type Scene } from './probe.ts';
import { valueFor } from './row-values.ts';

type Run = (em: SqlEntityManager, scene: Scene, meta: EntityMetadata) => Promise<unknown>;

const key = ({ dead }: Scene): never => keyOf(dead) as never;
const condition = ({ dead }: Scene): never => {
  const values = [keyOf(dead)].flat();
  return Object.fromEntries(dead.meta.primaryKeys.map((name, index) => [name, values[index]])) as never;
};

/** Every way to change or remove rows of one entity. */
const WRITES: Readonly<Record<string, Run>> = {
  'flush of a change': async (em, scene, meta) => {
    em.assign(em.getReference(classOf(meta), key(scene)), changeOf(meta) as never);
    await em.flush();
  },
  nativeUpdate: (em, scene, meta) =>
    em.nativeUpdate(classOf(meta), condition(scene), changeOf(meta) as never),
  'query builder update': (em, scene, meta) =>
    em
      .createQueryBuilder(classOf(meta))
      .update(changeOf(meta) as never)
      .where(condition(scene))
      .execute(),
  remove: async (em, scene, meta) => {
    em.remove(em.getReference(classOf(meta), key(scene)));
    await em.flush();
  },
  nativeDelete: (em, scene, meta) => em.nativeDelete(classOf(meta), condition(scene)),
  'query builder delete': (em, scene, meta) =>
    em.createQueryBuilder(classOf(meta)).delete(condition(scene)).execute(),
  'query builder truncate': (em, _scene, meta) => em.createQueryBuilder(classOf(meta)).truncate().execute(),
};

const UPSERTS: Readonly<Record<string, Run>> = {
  upsert: (em, scene, meta) => em.upsert(classOf(meta), rowFor(scene, meta)),
  upsertMany: (em, scene, meta) => em.upsertMany(classOf(meta), [rowFor(scene, meta)] as never),
};

/** A flush of two changes is one statement, which the ORM writes as text and not through its query builder. */
const batched: Run = async (em, { dead, owner }, meta) => {
  for (const canary of [dead, owner ?? dead]) {
    em.assign(em.getReference(classOf(meta), keyOf(canary) as never), changeOf(meta) as never);
  }
  await em.flush();
};

/** Ways that change nothing by themselves and must still not succeed on a dead row. */
const CLAIMS: Readonly<Record<string, Run>> = {
  'flush without a word': async (em, scene, meta) => {
    em.assign(em.getReference(classOf(meta), key(scene)), changeOf(meta) as never);
    await em.flush();
  },
  lock: (em, scene, meta) => em.lock(em.getReference(classOf(meta), key(scene)), LockMode.PESSIMISTIC_WRITE),
  clone: async (em, scene, meta) => {
    const overrides = Object.fromEntries(uniqueProps(meta).map((prop) => [prop.name, valueFor(prop)]));
    const before = await countOf(em, meta);
    await em.clone(classOf(meta), condition(scene), overrides as never).catch(async (error: unknown) => {
      // Stock MikroORM inserts the copy, and fails when it reads it back. After an error of SQL nothing can be counted.
      if ((await countOf(em, meta).catch(() => before)) === before) throw error;
    });
  },
};

/** Ways to delete a live row, which must leave it marked and not gone. */
const REMOVALS: Readonly<Record<string, Run>> = {
  'remove of a live row': async (em, scene, meta) => {
    em.remove(await em.findOneOrFail(classOf(meta), key(scene)));
    await em.flush();
  },
  'nativeDelete of a live row': (em, scene, meta) => em.nativeDelete(classOf(meta), condition(scene)),
  'query builder delete of a live row': (em, scene, meta) =>
    em.createQueryBuilder(classOf(meta)).delete(condition(scene)).execute(),
};

/**
 * The write probes of one entity, over rows that are absent for one reason. A claim is a read: it answers whether it
 * succeeded.
 */
export function entityWrites(meta: EntityMetadata, absence: Absence): Probe[] {
  const plant: Probe['plant'] = async (canaries) => ({ dead: await plantAbsent(canaries, meta, absence) });
  const removals = absence.hiddenBy ? {} : REMOVALS;
  const named = (verb: string): Named => ({
    name: `${meta.className}.${verb}${absence.suffix}`,
    entity: meta.className,
    verb,
    plant,
  });
  const writes = Object.entries(WRITES).filter(([verb]) => hasChange(meta) || !needsChange(verb));
  return [
    ...writes.map(([verb, run]): Probe => ({
      ...named(verb),
      kind: 'write',
      run: async (em, scene) => void (await run(em, scene, meta)),
    })),
    ...(hasChange(meta) ? [batchProbe(meta, absence), ...upsertProbes(meta, absence, named)] : []),
    ...Object.entries(removals).map(([verb, run]): Probe => ({
      ...named(verb),
      kind: 'removal',
      plant: async (canaries) => ({ dead: await canaries.plant(meta) }),
      run: async (em, scene) => void (await run(em, scene, meta)),
    })),
    ...Object.entries(CLAIMS)
      .filter(([verb]) => hasChange(meta) || !needsChange(verb))
      .map(([verb, run]): Probe => ({
        ...named(verb),
        kind: 'read',
        run: (em, scene) =>
          run(em, scene, meta).then(
            () => true,
            () => false,
          ),
      })),
  ];
}

type Named = Pick<Probe, 'name' | 'entity' | 'verb' | 'plant'>;

function upsertProbes(meta: EntityMetadata, { hiddenBy }: Absence, named: (verb: string) => Named): Probe[] {
  return Object.entries(UPSERTS).map(([verb, run]): Probe => ({
    ...named(verb),
    kind: 'upsert',
    // No upsert brings a target back, so that a hidden row stays as it is under every policy.
    policy: hiddenBy && upsertPolicyOf(meta) ? 'refuse' : upsertPolicyOf(meta),
    run: async (em, scene) => void (await run(em, scene, meta)),
  }));
}

function batchProbe(meta: EntityMetadata, absence: Absence): Probe {
  const verb = 'flush of two changes';
  return {
    name: `${meta.className}.${verb}${absence.suffix}`,
    entity: meta.className,
    verb,
    kind: 'write',
    plant: async (canaries) => ({
      dead: await plantAbsent(canaries, meta, absence),
      owner: await canaries.plant(meta),
    }),
    run: (em, scene) => batched(em, scene, meta).then(() => undefined),
  };
}

const needsChange = (verb: string): boolean => /update|change|flush/i.test(verb);

/** Scalars that take part in a unique; a copy of the row needs other values there. */
function uniqueProps(meta: EntityMetadata): EntityMetadata['props'] {
  const named = new Set(meta.uniques.flatMap((each) => [each.properties].flat()) as string[]);
  return meta.props.filter(
    (prop) =>
      prop.kind === ReferenceKind.SCALAR &&
      (prop.primary ? !prop.autoincrement : prop.unique === true || named.has(prop.name)),
  );
}

/** A column that may be written without breaking a constraint: a plain one, not unique, not the mark itself. */
function changeable(meta: EntityMetadata): string | undefined {
  const unique = new Set(uniqueProps(meta).map((prop) => prop.name));
  return meta.props.find(
    (prop) =>
      prop.kind === ReferenceKind.SCALAR &&
      !prop.primary &&
      !prop.version &&
      !prop.generated &&
      !prop.formula &&
      !prop.onUpdate &&
      prop.persist !== false &&
      !prop.embedded &&
      prop.name !== DELETED_AT &&
      prop.name !== meta.root.discriminatorColumn &&
      !unique.has(prop.name) &&
      /^(string|text|varchar|character)/.test(prop.columnTypes?.[0] ?? ''),
  )?.name;
}

const hasChange = (meta: EntityMetadata): boolean => changeable(meta) !== undefined;

function changeOf(meta: EntityMetadata): Record<string, string> {
  return { [changeable(meta) ?? '']: 'x' };
}

/** The dead row's own columns with one changed, as a caller would write who does not know that the row is dead. */
function rowFor({ dead }: Scene, meta: EntityMetadata): never {
  const columns = meta.props.filter(
    (prop) => prop.fieldNames?.length > 0 && prop.kind !== ReferenceKind.EMBEDDED,
  );
  const known = columns
    .filter((prop) => prop.name !== DELETED_AT && !prop.generated && !prop.formula && prop.persist !== false)
    .map((prop) => [prop.name, prop.fieldNames.map((column) => dead.row[column])] as const)
    .filter(([, values]) => values.every((value) => value !== null && value !== undefined))
    // A key of several columns, and a polymorphic one with the name of its target in front, is written as a list.
    .map(([name, values]) => [name, values.length === 1 ? values[0] : values] as const);
  return { ...Object.fromEntries(known), ...changeOf(meta) } as never;
}
