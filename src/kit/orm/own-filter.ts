import {
  type Configuration,
  type Dictionary,
  type EntityMetadata,
  type FilterOptions,
  Utils,
} from '@mikro-orm/core';
import { DELETED_AT, isSoftDeletable, SOFT_DELETE_FILTER } from '../soft-delete/index.ts';

/**
 * What the layer's filter says of an entity in the scope that the calling code runs in, where the configuration has it switched
 * on. It is asked here and not by the core, whose way through all filters is longer and lets a call switch this one off
 * (`filters: false`, or by its name), which only a scope may do. The query builder guards such a call anyway; but a load of a
 * link table alone (`:ref`) is guarded by nothing else.
 */
export function ownFilter(config: Configuration, meta: EntityMetadata): Dictionary | undefined {
  if (!isSoftDeletable(meta)) return undefined;
  const filter = config.get('filters')[SOFT_DELETE_FILTER] as
    { default?: boolean; cond: () => Dictionary } | undefined;
  return filter?.default ? filter.cond() : undefined;
}

/** The options of a call for the filters that the core is left with. */
export function otherFilters(options: FilterOptions | undefined): FilterOptions {
  if (options === false) return false;
  const named = Array.isArray(options) ? Object.fromEntries(options.map((name) => [name, true])) : options;
  return { ...(Utils.isPlainObject(named) ? named : {}), [SOFT_DELETE_FILTER]: false };
}

/** `where` and the filter as one object, where that says the same: the core builds and compiles three for a conjunction. */
export function withFilter(where: unknown, filter: Dictionary): unknown {
  if (!Utils.hasObjectKeys(filter)) return where;
  if (where === undefined || where === null) return filter;
  if (!Utils.isPlainObject<Dictionary>(where) || DELETED_AT in where) return { $and: [filter, where] };
  return { ...where, ...filter };
}
