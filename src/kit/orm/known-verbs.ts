import { ValidationError } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/postgresql';
import type { DataDriver } from './data-driver.ts';
import type { DataEntityManager } from './data-entity-manager.ts';

/**
 * Lets the verbs of entity managers go the way of calls that are known. A subclass cannot restate the types of the first two, whose
 * conditional types do not unify, so all are wrapped.
 */
export function callKnownVerbs(prototype: DataEntityManager, core: EntityManager): void {
  const { findOne, find, count, nativeUpdate, nativeDelete, insert } = core;
  // A class of the program's own may do more in the steps that are not taken of a call that is known.
  const driverOf = (em: DataEntityManager): DataDriver | undefined =>
    Object.getPrototypeOf(em) === prototype ? em.getDriver() : undefined;
  prototype.findOne = function (this: DataEntityManager, entityName, where, options = {}) {
    // Not an async function, so that the core's own promise is handed on.
    if (isEmptyCondition(where)) return Promise.reject(emptyCondition());
    const known = driverOf(this)?.knownReads;
    if (known) return known.findOne(this, entityName, where, options);
    return findOne.call(this, entityName as never, where as never, options as never);
  } as typeof findOne;
  prototype.find = function (this: DataEntityManager, entityName, where, options = {}) {
    const known = driverOf(this)?.knownReads;
    if (known) return known.find(this, entityName, where, options);
    return find.call(this, entityName as never, where as never, options as never);
  } as typeof find;
  prototype.count = function (this: DataEntityManager, entityName, where = {}, options = {}) {
    const known = driverOf(this)?.knownReads;
    if (known) return known.count(this, entityName, where, options);
    return count.call(this, entityName as never, where as never, options as never);
  } as typeof count;
  prototype.nativeUpdate = function (this: DataEntityManager, entityName, where, data, options = {}) {
    const known = driverOf(this)?.knownWrites;
    if (known) return known.nativeUpdate(this, entityName, where, data, options);
    return nativeUpdate.call(this, entityName as never, where as never, data as never, options as never);
  } as typeof nativeUpdate;
  prototype.nativeDelete = function (this: DataEntityManager, entityName, where, options = {}) {
    const known = driverOf(this)?.knownWrites;
    if (known) return known.nativeDelete(this, entityName, where, options);
    return nativeDelete.call(this, entityName as never, where as never, options as never);
  } as typeof nativeDelete;
  prototype.insert = function (this: DataEntityManager, target, data, options = {}) {
    const known = data === undefined ? undefined : driverOf(this)?.knownWrites;
    if (known) return known.insert(this, target, data, options) as never;
    return insert.call(this, target as never, data as never, options as never) as never;
  } as typeof insert;
}

/** The core looks for an empty condition only after the filter has been merged into it, and returns the first live row. */
function isEmptyCondition(where: unknown): boolean {
  return where == null || (typeof where === 'object' && Reflect.ownKeys(where).length === 0);
}

const emptyCondition = (): ValidationError =>
  new ValidationError('findOne needs a condition. Pass a primary key or a condition that is not empty.');
