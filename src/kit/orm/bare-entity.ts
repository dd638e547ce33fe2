import { type EntityManager, type EntityMetadata, Utils } from '@mikro-orm/core';

/** Makes objects of a class past its constructor, which have the named properties already. */
export type BareEntity = () => object;

type Constructor = new () => object;

/** As the core does where it compiles functions: a program may forbid that, and then it has brought its own. */
const cannotCompile = (em: EntityManager): boolean => em.config.get('compiledFunctions') !== undefined;

/**
 * An entity whose prototype has accessors gets a property of its own by a definition only. The fields of a class are defined in one
 * step, and give all entities of a class one layout; properties that are copied into each object take ten times as long.
 */
export function bareEntity(
  em: EntityManager,
  { class: target }: EntityMetadata,
  names: readonly string[],
): BareEntity {
  const prototype = (target as Constructor).prototype as object;
  if (cannotCompile(em) || names.some((name) => name === 'constructor' || name === 'prototype')) {
    const template = Object.fromEntries(names.map((name) => [name, undefined]));
    return () => Object.setPrototypeOf({ ...template }, prototype) as object;
  }
  const fields = names.map((name) => `${JSON.stringify(name)};`).join(' ');
  const shape = Utils.createFunction(new Map(), `return class { ${fields} };`) as unknown as Constructor;
  return () => Reflect.construct(shape, [], target as Constructor);
}
