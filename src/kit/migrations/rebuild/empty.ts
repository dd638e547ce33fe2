import { DatabaseError, escapeIdentifier } from 'pg';
import { describeSchema } from '../drift/description.ts';
import { MigrationError } from '../errors.ts';
import { Session } from '../session.ts';
import type { Connection } from './connection.ts';

const PUBLIC = `select pg_get_userbyid(nspowner) as owner, obj_description(oid, 'pg_namespace') as comment,
  coalesce((select json_agg(json_build_object('grantee', case grantee when 0 then null else pg_get_userbyid(grantee) end,
    'right', privilege_type, 'grantable', is_grantable)) from aclexplode(nspacl) where grantee <> nspowner), '[]') as rights
  from pg_namespace where nspname = 'public'`;

interface PublicSchema {
  readonly owner: string;
  readonly comment: string | null;
  readonly rights: readonly { grantee: string | null; right: string; grantable: boolean }[];
}

/** Drops schemas with all that is in them, and makes `public` anew as it was: its owner, rights and comment. */
export async function dropSchemas(session: Session, names: readonly string[]): Promise<void> {
  const [before] = await session.query<PublicSchema & Record<string, unknown>>(PUBLIC);
  for (const name of names) await session.run(`drop schema if exists ${escapeIdentifier(name)} cascade`);
  if (!names.includes('public') || !before) return;
  await session.run(`create schema public authorization ${escapeIdentifier(before.owner)}`);
  for (const { grantee, right, grantable } of before.rights) {
    const to = grantee === null ? 'public' : escapeIdentifier(grantee);
    await session.run(`grant ${right} on schema public to ${to}${grantable ? ' with grant option' : ''}`);
  }
  if (before.comment !== null) {
    const [row] = await session.query<{ text: string }>('select quote_literal($1::text) as text', [
      before.comment,
    ]);
    await session.run(`comment on schema public is ${row?.text}`);
  }
}

/**
 * Works in an empty database of the caller's, and empties it again.
 *
 * @throws MigrationError `MIGRATION.SCRATCH` when there is anything in it, which might be somebody's.
 */
export async function withEmptyDatabase<T>(
  connection: Connection,
  work: (scratch: Connection) => Promise<T>,
): Promise<T> {
  const session = await Session.open(connection);
  try {
    await refuseFull(session);
    try {
      return await work(connection);
    } finally {
      await session.reset();
      await empty(session);
    }
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}

async function refuseFull(session: Session): Promise<void> {
  const objects = await describeSchema(session);
  const [ledger] = await session.query<{ found: boolean }>(
    `select to_regclass('public.schema_migrations') is not null as found`,
  );
  const first = objects.find(({ kind, name }) => kind !== 'schema' || name !== 'public');
  if (!first && !ledger?.found) return;
  const what = first ? `${first.kind} ${first.name}` : 'a ledger of migrations';
  throw new MigrationError(
    'MIGRATION.SCRATCH',
    `The scratch database is not empty: it has ${what}. Name one with nothing in it, because it is emptied afterwards.`,
  );
}

async function empty(session: Session): Promise<void> {
  try {
    const schemas = await session.query<{ name: string }>(
      `select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`,
    );
    const extensions = await session.query<{ name: string }>(
      `select extname as name from pg_extension where oid >= 16384`,
    );
    for (const { name } of extensions)
      await session.run(`drop extension if exists ${escapeIdentifier(name)} cascade`);
    await dropSchemas(
      session,
      schemas.map(({ name }) => name),
    );
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    throw new MigrationError(
      'MIGRATION.SCRATCH',
      `The scratch database could not be emptied [${error.code}]. Make the role the owner of its schema public, and empty it by hand.`,
      undefined,
      { sqlState: error.code },
    );
  }
}
