import type { Dictionary, FilterDef } from '@mikro-orm/core';
import { DELETED_AT } from './mixin.ts';
import { currentScope } from './scope.ts';

/**
 * The global filter `softDelete`: the visible contract of the layer. It also covers the loads of a pivot table alone
 * (`:ref`), which do not pass the query builder's guard.
 */
export const softDeleteFilter = (entities: readonly string[]): FilterDef => ({
  name: 'softDelete',
  entity: [...entities],
  default: true,
  args: false,
  cond: (): Dictionary => (currentScope() ? {} : { [DELETED_AT]: null }),
});
