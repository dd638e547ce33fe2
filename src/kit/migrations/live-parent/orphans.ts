import type { Connection } from '../rebuild/connection.ts';
import { Session } from '../session.ts';
import { LIVE_COLUMN } from './names.ts';
import { readGuarded } from './read-relations.ts';
import { type LiveRelation, type Marks, quoted, shownName } from './relation.ts';

/** Live rows whose parent is deleted, by one foreign key. */
export interface Orphans {
  /** The foreign key that is about live rows, or where there is none yet, the one that it would stand beside. */
  readonly constraint: string;
  readonly table: string;
  readonly parent: string;
  /** Whether the database has proved that there is none. */
  readonly isValidated: boolean;
  readonly rows: number;
  /** Values of the foreign key's columns and of a key of the row, as JSON, for the first ten. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Looks at every relation of the database that has the guarantee, validated or not. It reads only. */
export async function findOrphans(connection: Connection): Promise<Orphans[]> {
  const session = await Session.open(connection);
  try {
    const found: Orphans[] = [];
    for (const relation of await readGuarded(session)) found.push(await orphansOf(session, relation));
    return found;
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}

/** @param marks the columns that mark rows as deleted; undefined: the guarantee's own column tells. */
export async function orphansOf(session: Session, relation: LiveRelation, marks?: Marks): Promise<Orphans> {
  const { child, parent, columns, referenced, constraint, liveKey, isValidated } = relation;
  const isLive = (row: string, mark: string | undefined) =>
    mark === undefined ? `${row}.${quoted(LIVE_COLUMN)} is not null` : `${row}.${quoted(mark)} is null`;
  const meets = columns
    .map((name, at) => `c.${quoted(name)} = p.${quoted(referenced[at] ?? '')}`)
    .join(' and ');
  const [counted] = await session.query<Pick<Orphans, 'rows' | 'keys'>>(
    `select count(*)::int as rows, coalesce(json_agg(key) filter (where n <= 10), '[]') as keys from (
       select ${keyOf(relation)} as key, row_number() over () as n
       from ${at(child)} c join ${at(parent)} p on ${meets}
       where ${isLive('c', marks?.child)} and not (${isLive('p', marks?.parent)})) o`,
  );
  return {
    constraint: liveKey ?? constraint,
    table: shownName(child),
    parent: shownName(parent),
    isValidated,
    rows: counted?.rows ?? 0,
    keys: counted?.keys ?? [],
  };
}

const at = ({ schema, name }: LiveRelation['child']): string => `${quoted(schema)}.${quoted(name)}`;

/** Keys and no other value: an offender is named, and not shown. */
function keyOf({ child, columns }: LiveRelation): string {
  const named = [...new Set([...child.primaryKey, ...columns])];
  const pairs = named.map((name) => `'${name.replaceAll("'", "''")}', c.${quoted(name)}::text`);
  return `json_build_object(${pairs.join(', ')})`;
}
