import { type EntityMetadata, type PopulateOptions, ReferenceKind } from '@mikro-orm/core';
import { mayBeAbsent } from '../soft-delete/index.ts';

/**
 * Makes the joins of populated to-one relations outer joins where the target may be dead or hidden. The core joins a NOT NULL
 * relation by an inner join, which drops the owner of a dead target from `find` but not from `count`.
 */
export function keepOwners(meta: EntityMetadata, populate: PopulateOptions<object>[]): void {
  for (const hint of populate) {
    const prop = meta.properties[hint.field] as EntityMetadata['properties'][never] | undefined;
    if (!prop?.targetMeta) continue;
    const isToOne = prop.kind === ReferenceKind.MANY_TO_ONE || prop.kind === ReferenceKind.ONE_TO_ONE;
    if (isToOne && mayBeAbsent(prop.targetMeta)) hint.joinType ??= 'left join';
    // The hints below a polymorphic relation are for the targets of every class.
    for (const target of prop.polymorphTargets ?? [prop.targetMeta]) {
      if (hint.children) keepOwners(target, hint.children);
    }
  }
}
