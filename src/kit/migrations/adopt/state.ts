import type { LedgerRow } from '../ledger.ts';
import type { Adoption, KnownFile } from './adoption.ts';
import type { Simulated } from './simulated.ts';

/**
 * What a database is: `empty` without any table of ours; `complete`, `partial` made by the original, with all of its files or
 * some; `legacy` its tables without a ledger; `newer` with files of the original that nobody here knows; `changed` with a known
 * file of another text; `begun` an adoption was interrupted; `ours` with our own history; `foreign` with another tool's ledger.
 */
export type AdoptionState =
  'empty' | 'complete' | 'partial' | 'legacy' | 'newer' | 'changed' | 'begun' | 'ours' | 'foreign';

/** The state, and what it was told by. */
export interface Finding {
  readonly state: AdoptionState;
  /** Sentences, for people. */
  readonly signs: readonly string[];
}

/** What the ledger lists beside our own files. */
interface Listed {
  readonly known: readonly string[];
  readonly changed: readonly string[];
  readonly unknown: readonly string[];
  readonly lacking: readonly string[];
}

/** What is looked at. */
export interface Signs {
  readonly rows: readonly LedgerRow[];
  readonly adoption: Adoption | undefined;
  readonly live: Simulated;
  /** Tables of all files of all modules, qualified. */
  readonly tables: readonly string[];
  readonly modules: readonly string[];
  readonly isBegun: boolean;
}

/** Says what a database is by its ledger and its tables; whether the schema bears that out is another question. */
export function findState({ rows, adoption, live, tables, modules, isBegun }: Signs): Finding {
  const isOwn = ({ filename }: LedgerRow): boolean =>
    modules.some((module) => filename.startsWith(`${module}/`));
  const listed = compare(
    rows.filter((row) => !row.filename.includes('/')),
    adoption?.known ?? [],
  );
  if (listed.changed.length > 0)
    return of('changed', `The ledger lists ${list(listed.changed)} with a text that nobody here knows.`);
  if (isBegun) return of('begun', 'An adoption was begun here and has not come to its end.');
  if (rows.some(isOwn)) return of('ours', 'The ledger lists files of these modules.');
  if (listed.unknown.length > 0)
    return of('newer', `The ledger lists ${list(listed.unknown)}, which nobody here knows.`);
  if (listed.known.length > 0) {
    const text = `The ledger lists ${listed.known.length} known files of ${adoption?.origin}`;
    return listed.lacking.length === 0
      ? of('complete', `${text}, which is all of them.`)
      : of('partial', `${text}, and not ${list(listed.lacking)}.`);
  }
  const found = tables.filter((name) => live.has({ kind: 'table', name }));
  if (found.length === 0) return of('empty', 'None of the tables is there.');
  return of('legacy', `No ledger lists files, and ${found.length} tables are there: ${list(found)}.`);
}

const of = (state: AdoptionState, sign: string): Finding => ({ state, signs: [sign] });

function compare(rows: readonly LedgerRow[], known: readonly KnownFile[]): Listed {
  const byName = new Map(known.map((file) => [file.name, file]));
  const listed = new Set(rows.map(({ filename }) => filename));
  const named = (select: (row: LedgerRow, file: KnownFile | undefined) => boolean): string[] =>
    rows.filter((row) => select(row, byName.get(row.filename))).map(({ filename }) => filename);
  return {
    known: named((row, file) => file?.checksums.includes(row.checksum) === true),
    changed: named((row, file) => file !== undefined && !file.checksums.includes(row.checksum)),
    unknown: named((_row, file) => file === undefined),
    lacking: known.filter(({ name, isOptional }) => !isOptional && !listed.has(name)).map(({ name }) => name),
  };
}

const SHOWN = 5;

/** The first few names, and how many more there are. */
export function list(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(', ');
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown;
}
