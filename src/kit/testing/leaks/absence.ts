import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { hidingRelations, isSoftDeletable } from '../../soft-delete/index.ts';
import type { Canaries, Canary } from './canaries.ts';

type References = Readonly<Record<string, Canary>>;

/** One reason for which a row of an entity is in its table and not there for the program. */
export interface Absence {
  /** What the name of a probe ends in; empty for a dead row. */
  readonly suffix: string;
  /** The relation whose dead target hides the row; undefined for a row that is dead itself. */
  readonly hiddenBy?: EntityProperty;
}

const DEAD: Absence = { suffix: '' };

/** Dead, and hidden by each of the relations that declare it. */
export function absencesOf(meta: EntityMetadata): readonly Absence[] {
  const hiding = hidingRelations(meta).map((hiddenBy) => ({
    suffix: ` hidden by ${hiddenBy.name}`,
    hiddenBy,
  }));
  return isSoftDeletable(meta) ? [DEAD, ...hiding] : hiding;
}

/** Plants a row that is not there for that reason. */
export async function plantAbsent(
  canaries: Canaries,
  meta: EntityMetadata,
  { hiddenBy }: Absence,
  references: References = {},
): Promise<Canary> {
  if (!hiddenBy) return canaries.plant(meta, { dead: true, references });
  const target = hiddenBy.targetMeta as unknown as EntityMetadata;
  const [first] = absencesOf(target);
  // A declaration that leads to nothing that can be absent is refused when the ORM starts.
  const hider = await plantAbsent(canaries, target, first ?? DEAD);
  return canaries.plant(meta, { references: { ...references, [hiddenBy.name]: hider } });
}
