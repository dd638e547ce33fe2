import { type EntityMetadata, type EntityProperty, ReferenceKind } from '@mikro-orm/core';
import { type Absence, plantAbsent } from './absence.ts';
import type { Canaries, Canary } from './canaries.ts';
import type { Scene } from './probe.ts';

/** Not the key-only properties, nor the inverse sides that the core adds for itself. */
export function isTraversable(prop: EntityProperty): boolean {
  const isOwn = prop.userDefined !== false && !prop.name.endsWith('__inverse');
  return isOwn && !prop.mapToPk && prop.targetMeta !== undefined;
}

export function isToOne(prop: EntityProperty): boolean {
  return prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
}

/** The entities that a relation leads to: one, but for a polymorphic relation. */
export function targetsOf(prop: EntityProperty): readonly EntityMetadata[] {
  return (prop.polymorphTargets ?? [prop.targetMeta]) as EntityMetadata[];
}

/** How a report names the relation: `subject`, and `subject[Photo]` for one target of several. */
export function labelOf(prop: EntityProperty, target: EntityMetadata): string {
  return prop.polymorphTargets ? `${prop.name}[${target.className}]` : prop.name;
}

/** Plants an owner and a row of `target` that its relation leads to and that is not there for the program. */
export async function plantRelation(
  canaries: Canaries,
  meta: EntityMetadata,
  prop: EntityProperty,
  target: EntityMetadata,
  absence: Absence,
): Promise<Scene & { readonly owner: Canary }> {
  if (prop.kind === ReferenceKind.MANY_TO_MANY) {
    const dead = await plantAbsent(canaries, target, absence);
    const owner = await canaries.plant(meta);
    await canaries.link(prop, owner, dead);
    return { dead, owner };
  }
  if (prop.owner || prop.kind === ReferenceKind.MANY_TO_ONE) {
    const dead = await plantAbsent(canaries, target, absence);
    return { dead, owner: await canaries.plant(meta, { references: { [prop.name]: dead } }) };
  }
  const owner = await canaries.plant(meta);
  return { dead: await plantAbsent(canaries, target, absence, { [prop.mappedBy]: owner }), owner };
}
