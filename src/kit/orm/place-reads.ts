import type { DataEntityManager } from './data-entity-manager.ts';
import { placedConnection, replicasOf, runOn } from './read-place.ts';
import { onReplica } from './replica-reads.ts';

type Method = (this: object, ...args: unknown[]) => unknown;

/** By repository: the methods that may run on a replica. */
const granted = new WeakMap<object, ReadonlySet<string>>();

/**
 * Makes every method of a class of repositories read from the primary, outside of a transaction too. MikroORM sends reads
 * there to a replica where one is configured, and what was read late would decide what is written, or what is charged.
 *
 * Called in the static block of the class, where `emOf` may name a private field.
 */
export function placeReads<Repository extends object>(
  repository: abstract new (...args: never[]) => Repository,
  emOf: (own: Repository) => DataEntityManager,
): void {
  const prototype = repository.prototype as object;
  for (const [name, descriptor] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (name === 'constructor') continue;
    const method = descriptor.value as Method;
    const value: Method = function (...args) {
      const work = (): unknown => method.apply(this, args);
      const em = emOf(this as Repository);
      // Without replicas nothing is to be chosen, and nothing is paid for.
      if (replicasOf(em.getDriver()).length === 0) return work();
      return placed(em, granted.get(this)?.has(name) === true, work);
    };
    Object.defineProperty(prototype, name, { ...descriptor, value });
  }
}

/** Lets the named methods of one repository run on a replica, where one is configured and no transaction is open. */
export function mayReadReplica<Repository extends object>(
  repository: Repository,
  methods: readonly (keyof Repository & string)[],
): Repository {
  granted.set(repository, new Set(methods));
  return repository;
}

/** What a method calls of its own class runs where it runs itself. */
async function placed(em: DataEntityManager, mayBeLate: boolean, work: () => unknown): Promise<unknown> {
  const driver = em.getDriver();
  if (placedConnection(driver) || em.isInTransaction()) return work();
  return mayBeLate ? onReplica(driver, work) : runOn(driver, driver.getConnection('write'), work);
}
