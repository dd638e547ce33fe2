import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import type { UpsertPolicy } from '../../soft-delete/index.ts';
import type { Canaries, Canary } from './canaries.ts';

/** What a probe plants before it runs; `dead` is the row that nothing may show or touch (a live one for a `removal`). */
export interface Scene {
  readonly dead: Canary;
  /** The row whose relation leads to the dead one, where the probe is about a relation. */
  readonly owner?: Canary;
  /** The row at the end of a path over two relations. */
  readonly end?: Canary;
}

/**
 * One way to meet a dead row. A read answers whether the dead row was seen; after a write, the suite looks whether the row
 * is as it was, and after a removal of a live row, whether it is physically gone. An upsert may do what the entity's
 * policy says, which is to make the row live, but not write into a row that stays dead.
 */
export interface Probe {
  /** `Book.find`, `Book.author populate joined`. */
  readonly name: string;
  readonly entity: string;
  /** The way to the row: a method of the ORM, or what is done with it. */
  readonly verb: string;
  readonly kind: 'read' | 'write' | 'removal' | 'upsert';
  /** What an upsert of the entity does with a dead row; undefined where it has to be refused for want of a policy. */
  readonly policy?: UpsertPolicy;
  plant(canaries: Canaries): Promise<Scene>;
  run(em: SqlEntityManager, scene: Scene): Promise<boolean | void>;
}

/** The class of an entity in the form that the methods of an entity manager take. */
export const classOf = (meta: EntityMetadata): new () => Record<string, unknown> => meta.class as never;

/** Whether any of the entities is the canary. */
export function contains(em: SqlEntityManager, rows: Iterable<unknown>, canary: Canary): boolean {
  const wanted = canary.meta
    .getPrimaryProps()
    .flatMap((prop) => prop.fieldNames.map((name) => String(canary.row[name])));
  return [...rows].some((row) => keyTextOf(em, canary.meta, row) === wanted.join('\u0000'));
}

function keyTextOf(em: SqlEntityManager, meta: EntityMetadata, row: unknown): string {
  const comparator = em.getComparator();
  const data = comparator.prepareEntity(row as object) as Record<string, unknown>;
  return meta.primaryKeys.map((key) => [data[key]].flat(3).map(String).join('\u0000')).join('\u0000');
}
