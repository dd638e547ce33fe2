import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { isSoftDeletable } from '../../soft-delete/index.ts';
import { type Canaries, type Canary, keyOf } from './canaries.ts';
import { classOf, contains, type Probe, type Scene } from './probe.ts';
import { conditionOf, deadCondition, isShown, likeness, STRATEGIES } from './relation-reads.ts';
import { isToOne, isTraversable, labelOf, targetsOf } from './relations.ts';

interface Step {
  readonly prop: EntityProperty;
  readonly target: EntityMetadata;
}

interface Path {
  readonly meta: EntityMetadata;
  readonly first: Step;
  readonly second: Step;
}

/** The probes of all paths over two relations that end at a soft-deletable entity: what is dead is the end, or the middle. */
export function pathReads(meta: EntityMetadata): Probe[] {
  return pathsOf(meta).flatMap((path) => {
    const populates = STRATEGIES.map((strategy) =>
      probeOf(path, `populate a path ${strategy}`, 'end', (em, scene) =>
        populated(em, path, scene, strategy),
      ),
    );
    return [
      ...populates,
      ...(path.first.prop.polymorphic || path.second.prop.polymorphic ? [] : conditionsOf(path)),
    ];
  });
}

/** Not the way back over the same key, nor where only some targets of a polymorphic relation have the second one. */
function pathsOf(meta: EntityMetadata): Path[] {
  const firsts = stepsOf(meta).filter(({ target }) => !target.abstract);
  return firsts.flatMap((first) =>
    stepsOf(first.target)
      .filter(({ prop, target }) => isSoftDeletable(target) && !isWayBack(first.prop, prop))
      .filter(({ prop }) => targetsOf(first.prop).every((target) => prop.name in target.properties))
      .map((second) => ({ meta, first, second })),
  );
}

function stepsOf(meta: EntityMetadata): Step[] {
  return meta.relations
    .filter((prop) => isTraversable(prop))
    .flatMap((prop) => targetsOf(prop).map((target) => ({ prop, target })));
}

function isWayBack(first: EntityProperty, second: EntityProperty): boolean {
  return [first.mappedBy, first.inversedBy].includes(second.name) || second.mappedBy === first.name;
}

function conditionsOf(path: Path): Probe[] {
  const { first, second } = path;
  const count = async (em: SqlEntityManager, { owner, dead }: Scene, end: object) => {
    const own = owner ?? dead;
    const where = { $and: [conditionOf(own), { [first.prop.name]: { [second.prop.name]: end } }] };
    return (await em.count(classOf(own.meta), where)) > 0;
  };
  return [
    probeOf(path, 'condition on a path', 'end', (em, scene) => count(em, scene, deadCondition(scene.dead))),
    ...(isSoftDeletable(first.target)
      ? [
          probeOf(path, 'condition through a dead row', 'middle', (em, scene) =>
            count(em, scene, {
              ...(scene.end && likeness(scene.end)),
              ...conditionOf(scene.end ?? scene.dead),
            }),
          ),
        ]
      : []),
  ];
}

function probeOf(path: Path, verb: string, dead: 'middle' | 'end', run: Probe['run']): Probe {
  const { meta, first, second } = path;
  const label = `${labelOf(first.prop, first.target)}.${labelOf(second.prop, second.target)}`;
  return {
    name: `${meta.className}.${label} ${verb}`,
    entity: meta.className,
    verb,
    kind: 'read',
    plant: (canaries) => plantPath(canaries, path, dead),
    run,
  };
}

async function populated(
  em: SqlEntityManager,
  { first, second }: Path,
  { owner, dead }: Scene,
  strategy: (typeof STRATEGIES)[number],
): Promise<boolean> {
  const own = owner ?? dead;
  const options = { populate: [`${first.prop.name}.${second.prop.name}`], strategy } as never;
  const found = await em.findOne(classOf(own.meta), keyOf(own), options);
  return entitiesOf(found?.[first.prop.name]).some((middle) => {
    const end = middle[second.prop.name];
    return isToOne(second.prop) ? isShown(end) : contains(em, entitiesOf(end), dead);
  });
}

/** The entities behind a relation of either kind. */
function entitiesOf(value: unknown): Record<string, unknown>[] {
  if (value == null) return [];
  if (typeof value === 'object' && Symbol.iterator in value) return [...(value as Iterable<never>)];
  const reference = value as { readonly unwrap?: () => Record<string, unknown> };
  return [typeof reference.unwrap === 'function' ? reference.unwrap() : (value as Record<string, unknown>)];
}

/** Plants the three rows of a path, each when those that it refers to are there. */
async function plantPath(canaries: Canaries, path: Path, dead: 'middle' | 'end'): Promise<Scene> {
  const { meta, first, second } = path;
  const isInverse = ({ prop }: Step) =>
    prop.kind !== ReferenceKind.MANY_TO_MANY && prop.mappedBy !== undefined;
  const isLinked = ({ prop }: Step) => prop.kind === ReferenceKind.MANY_TO_MANY;
  const references: Record<string, Canary> = {};
  let owner: Canary | undefined;
  let end: Canary | undefined;
  if (isInverse(first)) references[first.prop.mappedBy] = owner = await canaries.plant(meta);
  if (!isInverse(second)) end = await canaries.plant(second.target, { dead: dead === 'end' });
  if (end && !isLinked(second)) references[second.prop.name] = end;
  const middle = await canaries.plant(first.target, { dead: dead === 'middle', references });
  end ??= await canaries.plant(second.target, {
    dead: dead === 'end',
    references: { [second.prop.mappedBy]: middle },
  });
  if (isLinked(second)) await canaries.link(second.prop, middle, end);
  owner ??= await canaries.plant(meta, isLinked(first) ? {} : { references: { [first.prop.name]: middle } });
  if (isLinked(first)) await canaries.link(first.prop, owner, middle);
  return { owner, dead: dead === 'end' ? end : middle, end };
}
