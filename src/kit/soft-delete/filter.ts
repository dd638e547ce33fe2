import type { Dictionary } from '@mikro-orm/core';
import { DELETED_AT } from './mixin.ts';
import { currentScope, visibleRows } from './scope.ts';

/** Name of the global filter; the same in every service, so that logs and reviews can look for it. */
export const SOFT_DELETE_FILTER = 'softDelete';

const CONDITIONS = {
  live: () => ({ [DELETED_AT]: null }),
  dead: () => ({ [DELETED_AT]: { $ne: null } }),
  all: () => ({}),
};

/** What the filter says in the scope that the calling code runs in. */
export const softDeleteCondition = (): Dictionary => CONDITIONS[visibleRows(currentScope())]();

/**
 * The definition of the global filter: the visible contract of the layer. It also covers the loads of a pivot table
 * alone (`:ref`), which do not pass the query builder's guard.
 */
export const softDeleteFilter = (entities: readonly string[]) => ({
  entity: [...entities],
  default: true,
  args: false,
  cond: softDeleteCondition,
});
