import { MigrationError } from '../../errors.ts';
import type { Session } from '../../session.ts';
import { readFlyway } from './flyway.ts';
import {
  type ForeignLedger,
  type LedgerHistory,
  type LedgerTable,
  type LedgerTool,
  TOOL_NAMES,
} from './foreign-ledger.ts';
import { readGolangMigrate } from './golang-migrate.ts';
import { readGoose } from './goose.ts';
import { type FoundTable, ledgerTables } from './ledger-tables.ts';
import { readMikroOrm } from './mikro-orm.ts';

const READERS: Readonly<
  Record<LedgerTool, (session: Session, table: LedgerTable) => Promise<LedgerHistory>>
> = {
  goose: readGoose,
  'golang-migrate': readGolangMigrate,
  flyway: readFlyway,
  'mikro-orm': readMikroOrm,
};

/**
 * Ledgers of other tools, in any schema, found by their columns. A table like MikroORM's under another name is left out,
 * because its columns tell too little; {@link findLedger} takes it when it is asked for.
 *
 * @throws MigrationError `MIGRATION.ADOPTION` when one may not be read.
 */
export async function findLedgers(session: Session): Promise<ForeignLedger[]> {
  const ledgers: ForeignLedger[] = [];
  for (const found of await ledgerTables(session))
    if (found.isCertain) ledgers.push(await read(session, found));
  return ledgers;
}

/**
 * The ledger of another tool that tells the history of this database; undefined when there is none.
 *
 * @param asked the table that is meant, `schema.table`, or of the schema public its name alone.
 * @throws MigrationError `MIGRATION.ADOPTION` when there are several and none was asked for, or what was asked for is none.
 */
export async function findLedger(session: Session, asked?: string): Promise<ForeignLedger | undefined> {
  if (asked !== undefined) return read(session, await askedFor(session, asked));
  const ledgers = await findLedgers(session);
  if (ledgers.length <= 1) return ledgers[0];
  // What a tool has left that was tried once, and has applied nothing.
  const telling = ledgers.filter(({ applied, problems }) => applied.length + problems.length > 0);
  if (telling.length <= 1) return telling[0] ?? ledgers[0];
  throw refused(
    `Several tables are ledgers of other tools: ${list(telling)}. Say which one tells the history of this database, with --ledger schema.table.`,
    telling,
  );
}

async function askedFor(session: Session, asked: string): Promise<FoundTable> {
  const tables = await ledgerTables(session);
  const wanted = asked.includes('.') ? asked : `public.${asked}`;
  const found = tables.find(({ schema, name, table }) => table === wanted || `${schema}.${name}` === wanted);
  if (found) return found;
  const others =
    tables.length === 0 ? 'This database has none: leave --ledger out.' : `Name one of: ${list(tables)}.`;
  throw refused(
    `${asked} is no ledger of ${Object.values(TOOL_NAMES).join(', ')}: there is no such table, or it has other columns. ${others}`,
    tables,
  );
}

async function read(session: Session, { tool, table, schema, name }: FoundTable): Promise<ForeignLedger> {
  const found: LedgerTable = { tool, table, schema, name };
  return { ...found, ...(await READERS[tool](session, found)) };
}

const list = (tables: readonly LedgerTable[]): string =>
  tables.map(({ table, tool }) => `${table} (${TOOL_NAMES[tool]})`).join(', ');

function refused(sentence: string, tables: readonly LedgerTable[]): MigrationError {
  return new MigrationError('MIGRATION.ADOPTION', sentence, undefined, {
    ledgers: tables.map(({ tool, table }) => ({ tool, table })),
  });
}
