import { MigrationError } from '../../errors.ts';

/** Tools whose ledgers can be read. */
export type LedgerTool = 'goose' | 'golang-migrate' | 'flyway' | 'mikro-orm';

/** What the tools are called in sentences. */
export const TOOL_NAMES: Readonly<Record<LedgerTool, string>> = {
  goose: 'goose',
  'golang-migrate': 'golang-migrate',
  flyway: 'Flyway',
  'mikro-orm': "MikroORM's migrator",
};

/** Something that a ledger says is applied. */
export type Applied =
  | {
      readonly kind: 'version';
      readonly version: string;
      /** As Flyway keeps it: the name of the file without version, with blanks. */
      readonly description?: string;
    }
  | {
      readonly kind: 'up-to';
      readonly version: string;
      /** Whether some file must have that version itself. */
      readonly isFile: boolean;
    }
  | { readonly kind: 'name'; readonly name: string }
  /** A file of Flyway that is run again whenever it changes, and has no version. */
  | { readonly kind: 'repeatable'; readonly description: string; readonly script: string };

/** A table that another tool keeps its history in. */
export interface LedgerTable {
  readonly tool: LedgerTool;
  /** Qualified and quoted, as in SQL. */
  readonly table: string;
  readonly schema: string;
  readonly name: string;
}

/** What the rows of a ledger tell. */
export interface LedgerHistory {
  /** In the order in which it was applied; what was reverted since is not in it. */
  readonly applied: readonly Applied[];
  /** Why the history cannot be relied on, in sentences that end with what to do. */
  readonly problems: readonly string[];
  /** What a person should know of the history, in sentences, and what stops nothing. */
  readonly notes: readonly string[];
}

/** The history that another tool has kept in this database. */
export type ForeignLedger = LedgerTable & LedgerHistory;

/** @throws MigrationError `MIGRATION.ADOPTION` with everything for which the history cannot be relied on. */
export function refuseProblems({ table, problems }: ForeignLedger): void {
  if (problems.length === 0) return;
  const sentence = `The history in ${table} cannot be relied on.\n${problems.join('\n')}`;
  throw new MigrationError('MIGRATION.ADOPTION', sentence, undefined, { table, problems });
}
