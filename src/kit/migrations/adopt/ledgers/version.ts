import type { MigrationFile } from '../../files.ts';

/** Parts of a version, no zeros at the end: `1.2.0` is `[1n, 2n]`. Versions of goose exceed what a number can tell apart. */
export type Version = readonly bigint[];

/** Reads `7`, `007`, `1.2` or `1_2`; undefined for anything else. */
export function parseVersion(text: string): Version | undefined {
  if (!/^\d+(?:[._]\d+)*$/.test(text)) return undefined;
  const parts = text.split(/[._]/).map(BigInt);
  while (parts.length > 1 && parts.at(-1) === 0n) parts.pop();
  return parts;
}

/** The same text for the same version. */
export function showVersion(version: Version): string {
  return version.join('.');
}

/** Below 0 when `a` comes first. */
export function compareVersions(a: Version, b: Version): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const [one, other] = [a[at] ?? 0n, b[at] ?? 0n];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** Name of a file without folder and extension. */
export function bareName({ name, module }: Pick<MigrationFile, 'name' | 'module'>): string {
  return name.slice(module.length + 1).replace(/\.sql$/, '');
}

/**
 * The version that a file's name begins with; undefined without one. Where names order by themselves, the names of Flyway and
 * of MikroORM may have been kept: `V1_2__prices`, `1.2_prices`, `Migration20240131093000_prices`.
 */
export function versionOf(file: MigrationFile): Version | undefined {
  const bare = bareName(file);
  const begins = file.order === 'number' ? /^(\d+)/ : /^V(\d+(?:[._]\d+)*)__|^(?:Migration)?(\d+(?:\.\d+)*)/;
  const [, first, second] = begins.exec(bare) ?? [];
  const version = parseVersion(first ?? second ?? '');
  return version?.every((part) => part === 0n) ? undefined : version;
}

/** What a file's name says beside its version, for {@link wordsOf}: Flyway keeps `create users` of `V1__create_users.sql`. */
export function descriptionOf(file: MigrationFile): string {
  return wordsOf(bareName(file).replace(/^(?:[VR]|Migration)?\d*(?:[._]\d+)*_+/, ''));
}

/** In lower case, with blanks between words. */
export function wordsOf(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}
