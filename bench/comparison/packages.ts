import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PEERS_FOLDER } from './install-peers.ts';
import type { LibraryFile } from './libraries.ts';

/** What a program installs with a library. */
export interface Installed {
  readonly library: string;
  /** Packages, its own among them. */
  readonly count: number;
  /** Of their files on the disk, unpacked. */
  readonly bytes: number;
  readonly versions: Readonly<Record<string, string>>;
}

interface LockEntry {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { optional?: boolean }>>;
}
type Lock = Readonly<Record<string, LockEntry>>;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const readLock = (folder: string): Lock =>
  (JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as { packages: Lock }).packages;

/** Counts and weighs what each library brings, as the lock files have it; `packed` is asked for Tombstone's own size. */
export function installedOf(libraries: readonly LibraryFile[], packed = packedSize): Installed[] {
  return libraries.map(({ name, packages, isPeer }) => {
    const folder = isPeer ? PEERS_FOLDER : ROOT;
    const lock = readLock(folder);
    const isOwn = packages.includes('tombstone');
    const named = isOwn ? [...packages.slice(1), ...Object.keys(lock['']?.dependencies ?? {})] : packages;
    const paths = closureOf(lock, named);
    const bytes = paths.reduce((sum, path) => sum + sizeOf(join(folder, path)), isOwn ? packed() : 0);
    const versions = Object.fromEntries(
      packages.map((one) => [one, lock[one === 'tombstone' ? '' : `node_modules/${one}`]?.version ?? '?']),
    );
    return { library: name, count: paths.length + (isOwn ? 1 : 0), bytes, versions };
  });
}

/** The paths of packages and of all that they need, optional ones where they are installed. */
function closureOf(lock: Lock, names: readonly string[]): string[] {
  const found = new Set<string>();
  const add = (name: string, from: string): void => {
    const path = pathOf(lock, name, from);
    if (path === undefined || found.has(path)) return;
    found.add(path);
    for (const needed of neededBy(lock[path] ?? {})) add(needed, path);
  };
  for (const name of names) add(name, '');
  return [...found];
}

function neededBy(entry: LockEntry): string[] {
  const peers = Object.keys(entry.peerDependencies ?? {});
  const isOptional = (name: string): boolean => entry.peerDependenciesMeta?.[name]?.optional === true;
  return [
    ...Object.keys({ ...entry.dependencies, ...entry.optionalDependencies }),
    ...peers.filter((name) => !isOptional(name)),
  ];
}

/** Where Node would find it: beside the package that asks, or in a folder above. */
function pathOf(lock: Lock, name: string, from: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const path = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    if (lock[path]) return path;
    if (at === '') return undefined;
  }
}

/** Without packages inside of it, which are counted by themselves. Nothing for one of another platform. */
function sizeOf(folder: string): number {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.name !== 'node_modules')
      .reduce((sum, entry) => {
        const path = join(folder, entry.name);
        return sum + (entry.isDirectory() ? sizeOf(path) : statSync(path).size);
      }, 0);
  } catch {
    return 0;
  }
}

/** Builds the package, and answers the size of its files. */
function packedSize(): number {
  const npm = process.env['npm_execpath'];
  const [command, first] = npm ? [process.execPath, [npm]] : ['npm', []];
  const args = [...first, 'pack', '--dry-run', '--json', '--loglevel=silent'];
  const answer = execFileSync(command, args, {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return (JSON.parse(answer) as [{ unpackedSize: number }])[0].unpackedSize;
}
