/** The names of the methods that a repository offers, in order. */
export function methodsOf(repository: object): string[] {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(repository));
  return names.filter((name) => name !== 'constructor').toSorted();
}
