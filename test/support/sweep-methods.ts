import type { GatewayRepositories } from 'tombstone/gateway';

/** The names of the methods that a repository offers, in order. */
export function methodsOf(repository: object): string[] {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(repository));
  return names.filter((name) => name !== 'constructor').toSorted();
}

/** The repositories by their names, each of which is made when it is asked for. */
export function entriesOf(repositories: GatewayRepositories): [string, object][] {
  const entries: [string, object][] = [];
  // They are accessors of a class, which no other way lists.
  for (const name in repositories) entries.push([name, repositories[name as 'users']]);
  return entries;
}
