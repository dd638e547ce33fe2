import { type EntityMetadata, raw, wrap } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { type Absence, plantAbsent } from './absence.ts';
import { keyOf } from './canaries.ts';
import { classOf, contains, type Probe, type Scene } from './probe.ts';

type Run = (em: SqlEntityManager, scene: Scene, meta: EntityMetadata) => Promise<boolean>;

const where = ({ dead }: Scene): never => keyOf(dead) as never;
const condition = ({ dead }: Scene): never => {
  const key = keyOf(dead);
  const values = Array.isArray(key) ? key : [key];
  return Object.fromEntries(dead.meta.primaryKeys.map((name, index) => [name, values[index]])) as never;
};

/** Every way to read one entity by itself. */
const READS: Readonly<Record<string, Run>> = {
  find: async (em, scene, meta) => contains(em, await em.find(classOf(meta), {}), scene.dead),
  findAll: async (em, scene, meta) => contains(em, await em.findAll(classOf(meta)), scene.dead),
  findOne: async (em, scene, meta) => (await em.findOne(classOf(meta), where(scene))) !== null,
  findOneOrFail: async (em, scene, meta) =>
    em.findOneOrFail(classOf(meta), where(scene)).then(
      () => true,
      () => false,
    ),
  findAndCount: async (em, scene, meta) => {
    const [rows, total] = await em.findAndCount(classOf(meta), condition(scene));
    return contains(em, rows, scene.dead) || total > 0;
  },
  findByCursor: async (em, scene, meta) => {
    const orderBy = Object.fromEntries(meta.primaryKeys.map((key) => [key, 'asc']));
    const cursor = await em.findByCursor(classOf(meta), { first: 1000, orderBy } as never);
    return contains(em, cursor.items as Iterable<unknown>, scene.dead);
  },
  stream: async (em, scene, meta) => {
    const rows: unknown[] = [];
    for await (const row of em.stream(classOf(meta))) rows.push(row);
    return contains(em, rows, scene.dead);
  },
  count: async (em, scene, meta) => (await em.count(classOf(meta), condition(scene))) > 0,
  countBy: async (em, scene, meta) => {
    const counts = await em.countBy(classOf(meta), meta.primaryKeys, { where: condition(scene) } as never);
    return Object.keys(counts).length > 0;
  },
  refresh: async (em, scene, meta) => {
    const reference = em.getReference(classOf(meta), where(scene));
    return (await em.refresh(reference)) !== null;
  },
  refreshOrFail: async (em, scene, meta) =>
    em.refreshOrFail(em.getReference(classOf(meta), where(scene))).then(
      () => true,
      () => false,
    ),
  'reference init': async (em, scene, meta) =>
    (await wrap(em.getReference(classOf(meta), where(scene))).init()) !== null,
  'query builder select': async (em, scene, meta) =>
    contains(em, await em.createQueryBuilder(classOf(meta)).select('*').getResultList(), scene.dead),
  'query builder count': async (em, scene, meta) =>
    (await em.createQueryBuilder(classOf(meta)).where(condition(scene)).getCount()) > 0,
  'query builder getResultAndCount': async (em, scene, meta) => {
    const builder = em.createQueryBuilder(classOf(meta)).select('*').where(condition(scene));
    const [rows, total] = await builder.getResultAndCount();
    return rows.length > 0 || total > 0;
  },
  'query builder getSingleResult': async (em, scene, meta) =>
    (await em.createQueryBuilder(classOf(meta)).select('*').where(condition(scene)).getSingleResult()) !==
    null,
  'query builder stream': async (em, scene, meta) => {
    const rows: unknown[] = [];
    const builder = em.createQueryBuilder(classOf(meta)).select('*').where(condition(scene));
    for await (const row of builder.stream()) rows.push(row);
    return rows.length > 0;
  },
  'Kysely select': async (em, { dead }, meta) => {
    const kysely = em.getKysely<Record<string, Record<string, unknown>>>();
    const ofSchema = meta.schema && meta.schema !== '*' ? kysely.withSchema(meta.schema) : kysely;
    let query = ofSchema.selectFrom(meta.tableName).selectAll();
    for (const key of meta.getPrimaryProps().flatMap((prop) => prop.fieldNames)) {
      query = query.where(key, '=', dead.row[key]);
    }
    return (await query.execute()).length > 0;
  },
  'query builder execute': async (em, scene, meta) => {
    const rows = await em
      .createQueryBuilder(classOf(meta))
      .select('*')
      .where(condition(scene))
      .execute('all');
    return (rows as unknown[]).length > 0;
  },
  'sub-query': async (em, scene, meta) => {
    const [key] = meta.primaryKeys;
    const inner = em
      .createQueryBuilder(classOf(meta))
      .select(key as never)
      .where(condition(scene));
    // With a composite key there is no single column to compare: the inner query alone is the probe then.
    if (meta.compositePK || !key) return (await inner.execute<unknown[]>('all', false)).length > 0;
    return (await em.count(classOf(meta), { [key]: { $in: inner.toRaw() } })) > 0;
  },
  'common table expression': async (em, scene, meta) => {
    const inner = em.createQueryBuilder(classOf(meta)).select('*').where(condition(scene));
    const outer = em.createQueryBuilder(classOf(meta)).with('canary', inner).select(raw('1'));
    const rows = await outer.from('canary' as never, 'c').execute<unknown[]>('all', false);
    return rows.length > 0;
  },
  union: async (em, scene, meta) => {
    const one = em.createQueryBuilder(classOf(meta)).select('*').where(condition(scene));
    const two = em.createQueryBuilder(classOf(meta)).select('*').where(condition(scene));
    const { sql, params } = one.unionAll(two).toQuery();
    const rows = await em.execute<unknown[]>(sql, [...params]);
    return rows.length > 0;
  },
};

/** The read probes of one entity, over rows that are absent for one reason. */
export function entityReads(meta: EntityMetadata, absence: Absence): Probe[] {
  return Object.entries(READS).map(([verb, run]) => ({
    name: `${meta.className}.${verb}${absence.suffix}`,
    entity: meta.className,
    verb,
    kind: 'read',
    plant: async (canaries) => ({ dead: await plantAbsent(canaries, meta, absence) }),
    run: (em, scene) => run(em, scene, meta),
  }));
}
