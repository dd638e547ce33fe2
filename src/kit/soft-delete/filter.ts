import type { Dictionary } from '@mikro-orm/core';
import { DELETED_AT } from './mixin.ts';
import { currentScope } from './scope.ts';

/** Name of the global filter; the same in every service, so that logs and reviews can look for it. */
export const SOFT_DELETE_FILTER = 'softDelete';

/**
 * The definition of the global filter: the visible contract of the layer. It also covers the loads of a pivot table
 * alone (`:ref`), which do not pass the query builder's guard.
 */
export const softDeleteFilter = (entities: readonly string[]) => ({
  entity: [...entities],
  default: true,
  args: false,
  cond: (): Dictionary => (currentScope() ? {} : { [DELETED_AT]: null }),
});
