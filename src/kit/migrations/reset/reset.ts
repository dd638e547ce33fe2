import { DatabaseError, escapeIdentifier } from 'pg';
import { describeInTransaction, type SchemaObjectName } from '../drift/description.ts';
import { differenceOf } from '../drift/difference.ts';
import { MigrationError } from '../errors.ts';
import { loadMigrations, type MigrationFile, type MigrationSource } from '../files.ts';
import { readLedger } from '../ledger.ts';
import { LOCK_ID } from '../lock.ts';
import { Migrator } from '../migrator.ts';
import type { MigrationResult, MigratorOptions } from '../options.ts';
import type { Connection } from '../rebuild/connection.ts';
import { dropSchemas } from '../rebuild/empty.ts';
import { Session } from '../session.ts';
import { substitute } from '../substitute.ts';
import { refuseCompany, refuseName } from './refusals.ts';
import { type Territory, territoryOf } from './territory.ts';

export interface ResetOptions {
  readonly connection: Connection;
  readonly modules: readonly MigrationSource[];
  readonly variables?: MigratorOptions['variables'];
  readonly onProgress?: MigratorOptions['onProgress'];
  /** The name of the database that loses everything; it must be the connected one. */
  readonly database: string;
  /** Schemas to drop besides `public` and those that the files create. */
  readonly schemas?: readonly string[];
}

/** What a reset has dropped, and applied. */
export interface ResetResult {
  readonly schemas: readonly string[];
  readonly run: MigrationResult;
}

/**
 * Drops the schemas of the modules with all rows, and applies every file anew. For development only.
 *
 * @throws MigrationError `MIGRATION.RESET_REFUSED` for a database with another name than the given one, or one like
 *   production's, with other sessions, with rows of other tools in its ledger, or when more than those schemas would go. Nothing
 *   was touched then.
 */
export async function resetDatabase(options: ResetOptions): Promise<ResetResult> {
  const files = await loadMigrations(options.modules);
  // A variable without value is found before anything is gone.
  for (const file of files) substitute(file, file.up, options.variables);
  const territory = await territoryOf(files, options.schemas);
  await drop(options, files, territory);
  const { connection, modules, variables, onProgress } = options;
  const run = await new Migrator({ connection, modules, variables, onProgress }).up();
  return { schemas: territory.schemas, run };
}

async function drop(
  { connection, database, modules }: ResetOptions,
  files: readonly MigrationFile[],
  territory: Territory,
): Promise<void> {
  const session = await Session.open(connection);
  try {
    await session.reset();
    await refuseName(session, database);
    await refuseCompany(session);
    await refuseForeignRows(session, files, modules);
    await session.run('begin');
    await refuseRun(session);
    await dropTerritory(session, territory);
    await session.run('commit');
  } catch (error) {
    throw session.explain(error instanceof DatabaseError ? notAllowed(error) : error);
  } finally {
    // An open transaction ends with its connection.
    await session.close();
  }
}

async function refuseForeignRows(
  session: Session,
  files: readonly MigrationFile[],
  modules: readonly MigrationSource[],
): Promise<void> {
  const known = new Set(files.map(({ name }) => name));
  const foreign = (await readLedger(session)).find(
    ({ filename }) => !known.has(filename) && !modules.some(({ name }) => filename.startsWith(`${name}/`)),
  );
  if (!foreign) return;
  throw new MigrationError(
    'MIGRATION.RESET_REFUSED',
    `Others use this database too: its ledger lists ${foreign.filename}, and a reset would drop what that has made. Drop the database by hand, if it may go.`,
  );
}

/** A run that has connected since the others were counted: the lock ends with the transaction. */
async function refuseRun(session: Session): Promise<void> {
  const [row] = await session.query<{ taken: boolean }>(
    `select pg_try_advisory_xact_lock(${LOCK_ID}) as taken`,
  );
  if (row?.taken) return;
  throw new MigrationError(
    'MIGRATION.RESET_REFUSED',
    'A migration run works in this database. Wait for it, then run again.',
  );
}

async function dropTerritory(session: Session, territory: Territory): Promise<void> {
  // Described in the transaction that drops: what appears in between is not lost unseen.
  const quoted = territory.schemas.map((name) => escapeIdentifier(name));
  const before = await describeInTransaction(session);
  await dropSchemas(session, territory.schemas);
  const gone = differenceOf(before, await describeInTransaction(session));
  const outside = gone.find((object) => !isInside(object, quoted) && !isOwnExtension(object, territory));
  if (!outside) return;
  throw new MigrationError(
    'MIGRATION.RESET_REFUSED',
    `A reset would also change ${outside.kind} ${outside.name}, which is in none of the schemas ${territory.schemas.join(', ')}. Move it, or name its schema with --schema.`,
  );
}

/** Names of the catalogue are quoted only where they must be. */
function isInside({ kind, name }: SchemaObjectName, schemas: readonly string[]): boolean {
  if (kind === 'comment' || kind === 'event trigger') return true;
  const bare = schemas.map((schema) => schema.slice(1, -1));
  return [...schemas, ...bare].some((schema) => name === schema || name.startsWith(`${schema}.`));
}

function isOwnExtension({ kind, name }: SchemaObjectName, { extensions }: Territory): boolean {
  return kind === 'extension' && extensions.some((each) => each === name || escapeIdentifier(each) === name);
}

function notAllowed({ code }: DatabaseError): MigrationError {
  return new MigrationError(
    'MIGRATION.RESET_REFUSED',
    `The schemas could not be dropped [${code}], and all is as it was. Run as the owner of the database and of its schemas.`,
  );
}
