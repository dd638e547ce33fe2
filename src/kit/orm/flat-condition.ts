import { type Dictionary, Utils } from '@mikro-orm/core';
import { DELETED_AT } from '../soft-delete/index.ts';

/**
 * The core merges a filter into a condition as `{ $and: [filter, condition] }`, and then builds and compiles three objects
 * for what one can say; that was half of what the layer cost `findOne`. The same as one object, where nothing is lost:
 * the filter alone was added, and the condition does not speak of `deletedAt` itself.
 */
export function flatCondition(merged: unknown, where: unknown): unknown {
  const parts: unknown = Utils.isPlainObject<Dictionary>(merged) && merged['$and'];
  if (!Array.isArray(parts) || parts.length !== 2 || parts[1] !== where) return merged;
  if (!Utils.isPlainObject<Dictionary>(where) || DELETED_AT in where || !isFilter(parts[0])) return merged;
  return { ...where, ...parts[0] };
}

function isFilter(part: unknown): part is Dictionary {
  return Utils.isPlainObject(part) && DELETED_AT in part && Object.keys(part).length === 1;
}
