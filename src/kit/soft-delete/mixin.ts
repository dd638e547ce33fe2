import { p } from '@mikro-orm/core';
import { declareDeadTargets } from './dead-targets.ts';
import { markSoftDeletable } from './marker.ts';

/** The property that every soft-deletable entity has. */
export const DELETED_AT = 'deletedAt';

/**
 * The mixin that makes an entity soft-deletable, in two steps: spread `softDelete.properties()` into the properties of
 * `defineEntity`, and hand the class to `softDelete.register` beside `setClass`. An entity with only one of the two is
 * refused when the ORM starts.
 *
 * @example
 * ```ts
 * const TrackSchema = defineEntity({
 *   name: 'Track',
 *   properties: { id: bigintId(), title: p.string(), ...softDelete.properties() },
 * });
 * export class Track extends TrackSchema.class {}
 * TrackSchema.setClass(Track);
 * softDelete.register(Track);
 * ```
 */
export const softDelete = {
  /** `deleted_at timestamptz NULL`; NULL means live. */
  properties: () => ({
    deletedAt: p.datetime().columnType('timestamptz').nullable(),
  }),
  /** Writes the marker that every part of the layer looks for, and what an upsert does with a dead row. */
  register: markSoftDeletable,
  /** Declares what to-one relations of a class show when their target is dead. */
  deadTargets: declareDeadTargets,
};
