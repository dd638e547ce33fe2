import { fileURLToPath } from 'node:url';

/** A library and the file that says how it does the workloads. */
export interface LibraryFile {
  readonly name: string;
  readonly path: string;
}

const own = (name: string): LibraryFile => ({
  name,
  path: fileURLToPath(new URL(`libraries/${name}.ts`, import.meta.url)),
});
const peer = (name: string): LibraryFile => ({
  name,
  path: fileURLToPath(new URL(`../peers/${name}.ts`, import.meta.url)),
});

/** Those that the repository itself has installed; the first one is the floor. */
export const OWN = ['pg', 'mikro-plain', 'mikro-filter', 'tombstone', 'tombstone-orm'].map(own);

/** Those of `bench/peers`, a package of its own. */
export const PEERS = ([] as string[]).map(peer);
