import type { Session } from '../session.ts';
import { CATALOGUE } from './catalogue.ts';

/** One thing of a schema, such as a column, with all that makes it what it is. */
export interface SchemaObject {
  /** `table`, `column`, `constraint`, `index` and so on. */
  readonly kind: string;
  /** Qualified and quoted, as in SQL. */
  readonly name: string;
  readonly definition: string;
}

/** A schema as data: sorted, without OIDs, the same for two databases that were made in different orders. */
export type SchemaDescription = readonly SchemaObject[];

/**
 * Names come qualified only under an empty search_path, and constants of a default are printed by the session's settings. SET
 * LOCAL leaves the session as it was.
 */
const SETTINGS = `set local search_path to ''; set local timezone to 'UTC';
  set local datestyle to 'ISO, MDY'; set local intervalstyle to 'postgres'; set local extra_float_digits to 1;
  set local quote_all_identifiers to off`;

/**
 * Reads what a database consists of, the engine's own tables left out. Not read: owners, versions of extensions, statistics
 * targets, operators, casts, collations, publications and foreign servers, privileges of the schema public. The session must
 * not be in a transaction.
 */
export async function describeSchema(session: Session): Promise<SchemaDescription> {
  await session.run('begin isolation level repeatable read read only');
  try {
    return await describeInTransaction(session);
  } finally {
    await session.run('rollback');
  }
}

/** As {@link describeSchema}, with what the open transaction has changed; its search_path is empty afterwards. */
export async function describeInTransaction(session: Session): Promise<SchemaDescription> {
  await session.run(SETTINGS);
  const objects: SchemaObject[] = [];
  for (const { kind, sql } of CATALOGUE) {
    const rows = await session.query<{ name: string; definition: string | null }>(sql);
    objects.push(...rows.map(({ name, definition }) => ({ kind, name, definition: definition ?? '' })));
  }
  return objects.toSorted(byKindAndName);
}

/** One object as it is now; undefined where it is gone. The session must not be in a transaction. */
export async function describeObject(
  session: Session,
  { kind, name }: SchemaObjectName,
): Promise<string | undefined> {
  const sql = CATALOGUE.find((query) => query.kind === kind)?.sql ?? '';
  await session.run('begin isolation level repeatable read read only');
  try {
    await session.run(SETTINGS);
    const [row] = await session.query<{ definition: string | null }>(
      `select definition from (${sql}) found where name = $1`,
      [name],
    );
    return row && (row.definition ?? '');
  } finally {
    await session.run('rollback');
  }
}

const ORDER = new Map(CATALOGUE.map(({ kind }, index) => [kind, index]));

/** By code units, so that no locale of a server or a reader decides. */
export function byKindAndName(a: SchemaObjectName, b: SchemaObjectName): number {
  const kinds = (ORDER.get(a.kind) ?? 0) - (ORDER.get(b.kind) ?? 0);
  if (kinds !== 0 || a.name === b.name) return kinds;
  return a.name < b.name ? -1 : 1;
}

export type SchemaObjectName = Pick<SchemaObject, 'kind' | 'name'>;
