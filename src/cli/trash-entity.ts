import type { EntityClass, EntityMetadata } from '@mikro-orm/core';
import type { DataEntityManager } from '../kit/orm/index.ts';
import { UsageError } from './exit-codes.ts';

/** A soft-deletable entity that was named on the command line. */
export interface TrashEntity {
  readonly entity: EntityClass<object>;
  readonly name: string;
  /** Whether its deletions are in the journal. */
  readonly journaled: boolean;
}

/** The soft-deletable entities, of a hierarchy its root. */
export async function trashEntities(em: DataEntityManager): Promise<TrashEntity[]> {
  const [{ ownDeletionOf }, { isSoftDeletable }] = await Promise.all([
    import('../kit/orm/index.ts'),
    import('../kit/soft-delete/index.ts'),
  ]);
  return tablesOf(em)
    .filter((meta) => isSoftDeletable(meta))
    .map((meta) => ({
      entity: meta.class as EntityClass<object>,
      name: meta.className,
      journaled: ownDeletionOf(meta) !== undefined,
    }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}

/** @throws UsageError for a name that no entity with a trash has. */
export async function entityNamed(em: DataEntityManager, name: string): Promise<TrashEntity> {
  const all = await trashEntities(em);
  const found = all.find((one) => one.name === name);
  if (found) return found;
  const known = [...(em.getMetadata() as unknown as Iterable<EntityMetadata>)].some(
    ({ className }) => className === name,
  );
  const why = known
    ? `${name} is not soft-deletable, or only a part of a hierarchy, so that it has no trash of its own.`
    : 'The configuration has no entity of that name.';
  throw new UsageError(`${why} Name one of: ${all.map((one) => one.name).join(', ')}.`);
}

/**
 * An entity whose rows can be held, soft-deletable or not; of a hierarchy its root.
 *
 * @throws UsageError for a name that no such entity has.
 */
export function tableNamed(em: DataEntityManager, name: string): EntityClass<object> {
  const all = tablesOf(em).filter(({ pivotTable }) => !pivotTable);
  const found = all.find(({ className }) => className === name);
  if (found) return found.class as EntityClass<object>;
  const names = all.map(({ className }) => className).toSorted();
  throw new UsageError(
    `The configuration has no entity of that name with a table of its own. Name one of: ${names.join(', ')}.`,
  );
}

function tablesOf(em: DataEntityManager): EntityMetadata[] {
  return [...(em.getMetadata() as unknown as Iterable<EntityMetadata>)].filter(
    (meta) => meta.tableName && !meta.virtual && !meta.view && meta.root === meta,
  );
}
