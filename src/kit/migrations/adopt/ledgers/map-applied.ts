import { MigrationError } from '../../errors.ts';
import type { MigrationFile } from '../../files.ts';
import type { Applied, ForeignLedger } from './foreign-ledger.ts';
import {
  bareName,
  compareVersions,
  descriptionOf,
  parseVersion,
  type Version,
  versionOf,
  wordsOf,
} from './version.ts';

/** What a ledger of another tool says of our files. */
export interface MappedLedger {
  /** Files that it says are applied, in the order in which they run. */
  readonly files: readonly MigrationFile[];
  /** What it says is applied and what no file is found for, in words: `version 7`. */
  readonly unknown: readonly string[];
  /** Scripts of Flyway that run again whenever they change, and that no file is found for; what they made is there. */
  readonly repeatable: readonly string[];
}

/**
 * Finds the file of everything that the ledger says is applied: by its number, MikroORM's by its name. Flyway keeps the
 * description too, and where exactly one file has it, that decides: `1.1` must have got a number of its own when it was brought here.
 *
 * @param module whose numbers are meant; may be left out where there is one module only.
 * @throws MigrationError `MIGRATION.ADOPTION` when it is left out and there are several, or there is none of that name.
 */
export function mapApplied(
  { applied, table }: Pick<ForeignLedger, 'applied' | 'table'>,
  files: readonly MigrationFile[],
  module?: string,
): MappedLedger {
  const search = new Search(filesOf(files, table, module));
  for (const entry of applied) search.byDescription(entry, applied);
  for (const entry of applied) search.byNumberOrName(entry);
  const { found, unknown, repeatable } = search;
  return { files: files.filter((file) => found.has(file)), unknown, repeatable };
}

function filesOf(files: readonly MigrationFile[], table: string, module?: string): readonly MigrationFile[] {
  const modules = [...new Set(files.map((file) => file.module))];
  const list = modules.join(', ');
  const wanted = module ?? (modules.length === 1 ? modules[0] : undefined);
  if (wanted === undefined && modules.length > 1)
    throw refused(
      `The numbers of ${table} can be those of several modules: ${list}. Name one with --module.`,
    );
  if (module !== undefined && !modules.includes(module))
    throw refused(`There is no module ${module} with files for ${table}. Name one of: ${list}.`);
  return files.filter((file) => file.module === wanted);
}

const refused = (sentence: string): MigrationError => new MigrationError('MIGRATION.ADOPTION', sentence);

class Search {
  readonly #files: readonly MigrationFile[];
  readonly found = new Set<MigrationFile>();
  readonly unknown: string[] = [];
  readonly repeatable: string[] = [];
  readonly #settled = new Set<Applied>();

  constructor(files: readonly MigrationFile[]) {
    this.#files = files;
  }

  /** Settles what exactly one file and no other entry has the description of. */
  byDescription(entry: Applied, all: readonly Applied[]): void {
    const wanted = wordsOfEntry(entry);
    if (wanted === '' || all.some((other) => other !== entry && wordsOfEntry(other) === wanted)) return;
    const files = this.#files.filter((file) => descriptionOf(file) === wanted);
    if (files.length === 1) this.#settle(entry, files);
  }

  byNumberOrName(entry: Applied): void {
    if (this.#settled.has(entry)) return;
    if (entry.kind === 'repeatable') this.repeatable.push(entry.script);
    else if (entry.kind === 'name') this.#one(entry, entry.name, this.#byName(entry.name));
    else if (entry.kind === 'up-to') this.#upTo(entry);
    else this.#one(entry, `version ${entry.version}`, this.#byNumber(parseVersion(entry.version)));
  }

  #upTo(entry: Extract<Applied, { kind: 'up-to' }>): void {
    const last = parseVersion(entry.version);
    if (entry.isFile && this.#byNumber(last).length === 0) this.unknown.push(`version ${entry.version}`);
    const isUpTo = (version?: Version): boolean =>
      last !== undefined && version !== undefined && compareVersions(version, last) <= 0;
    this.#settle(
      entry,
      this.#files.filter((file) => isUpTo(versionOf(file))),
    );
  }

  /** A file that another entry has found already was not meant by this one. */
  #one(entry: Applied, label: string, files: readonly MigrationFile[]): void {
    const free = files.filter((file) => !this.found.has(file));
    if (free.length === 1) this.#settle(entry, free);
    else this.unknown.push(free.length === 0 ? label : `${label}, which several files have`);
  }

  #settle(entry: Applied, files: readonly MigrationFile[]): void {
    this.#settled.add(entry);
    for (const file of files) this.found.add(file);
  }

  #byNumber(wanted: Version | undefined): readonly MigrationFile[] {
    return this.#files.filter((file) => {
      const version = versionOf(file);
      return wanted !== undefined && version !== undefined && compareVersions(version, wanted) === 0;
    });
  }

  /** `Migration20240131093000_prices` became `20240131093000_prices.sql`, or kept its name, or only its number. */
  #byName(name: string): readonly MigrationFile[] {
    const wanted = name.replace(/\.sql$/, '').replace(/^Migration(?=\d)/, '');
    const same = this.#files.filter((file) => bareName(file).replace(/^Migration(?=\d)/, '') === wanted);
    const number = /^Migration(\d+)/.exec(name)?.[1];
    return same.length > 0 || number === undefined ? same : this.#byNumber(parseVersion(number));
  }
}

/** What is compared with the names of files; empty where the ledger keeps no such words. */
function wordsOfEntry(entry: Applied): string {
  return entry.kind === 'version' || entry.kind === 'repeatable' ? wordsOf(entry.description ?? '') : '';
}
