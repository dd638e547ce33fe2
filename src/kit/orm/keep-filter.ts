import { type Dictionary, type EntityMetadata, type FilterOptions, Utils } from '@mikro-orm/core';
import { isSoftDeletable, SOFT_DELETE_FILTER, softDeleteCondition } from '../soft-delete/index.ts';

/**
 * Puts the filter back that a call has switched off (`filters: false`, or by its name), because only a scope may do that. The
 * query builder guards such a call anyway; but a load of a link table alone (`:ref`) is guarded by nothing else.
 */
export function keepFilter(
  meta: EntityMetadata,
  options: FilterOptions | undefined,
  condition: unknown,
): unknown {
  if (!switchesOff(options) || !isSoftDeletable(meta)) return condition;
  const filter = softDeleteCondition();
  if (!Utils.hasObjectKeys(filter)) return condition;
  return condition === undefined ? filter : { $and: [filter, condition] };
}

function switchesOff(options: FilterOptions | undefined): boolean {
  return options === false || (options as Dictionary | undefined)?.[SOFT_DELETE_FILTER] === false;
}
