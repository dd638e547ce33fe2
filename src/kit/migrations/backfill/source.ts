import { MigrationError } from '../errors.ts';
import type { Session } from '../session.ts';
import type { BackfillDirective } from './directive.ts';

/** The table that a back-fill goes through, and what is known of its key. */
export interface Source {
  /** The key's type, as a cast takes it. */
  readonly type: string;
  /** Rows that a pass will meet, roughly; undefined where nothing tells. */
  readonly estimate: number | undefined;
}

const TYPES = ['smallint', 'integer', 'bigint', 'uuid', 'text', 'character varying'];

const LOOK = `select c.oid is not null as "hasTable", c.reltuples::float8 as tuples, a.attnotnull as "isNotNull",
    format_type(a.atttypid, null) as type,
    exists (
      select from pg_catalog.pg_index i
      where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null
        and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
    ) as "isUnique"
  from (select to_regclass($1) as oid) t
  left join pg_catalog.pg_class c on c.oid = t.oid
  left join pg_catalog.pg_attribute a on a.attrelid = c.oid and not a.attisdropped and a.attnum > 0
    and a.attname = (parse_ident($2))[1]`;

interface Look {
  readonly hasTable: boolean;
  readonly tuples: number | null;
  readonly isNotNull: boolean | null;
  readonly type: string | null;
  readonly isUnique: boolean;
}

/**
 * Looks whether the table can be gone through by the key: each row once, none left out.
 *
 * @throws MigrationError `MIGRATION.UNSUPPORTED`.
 */
export async function findSource(
  session: Session,
  place: { readonly file: string; readonly line: number },
  { table, key }: BackfillDirective,
): Promise<Source> {
  const [look] = await session.query<Look>(LOOK, [table, key]);
  const problem = look ? problemOf(look, table, key) : undefined;
  if (problem)
    throw new MigrationError('MIGRATION.UNSUPPORTED', `${place.file}:${place.line}: ${problem}`, place.file, {
      line: place.line,
    });
  const type = look?.type ?? '';
  return { type, estimate: await estimateOf(session, type, look?.tuples ?? 0, table, key) };
}

function problemOf(look: Look, table: string, key: string): string | undefined {
  const { hasTable, type, isNotNull, isUnique } = look;
  if (!hasTable) return `There is no table ${table} to go through. Correct table=, or create it above.`;
  if (type === null) return `${table} has no column ${key}. Correct key=.`;
  if (!TYPES.includes(type))
    return `${table}.${key} is of type ${type}; a back-fill goes by a key of type ${TYPES.join(', ')}. Name another column.`;
  if (!isNotNull)
    return `${table}.${key} may be NULL, and such rows would be left out. Name a column that is NOT NULL.`;
  if (!isUnique)
    return `${table}.${key} is not unique by itself, so a batch could not be cut behind one of its rows. Name a column with a unique index of its own.`;
  return undefined;
}

/** What the planner knows; where the table was never analysed, the distance of the lowest from the highest number. */
async function estimateOf(
  session: Session,
  type: string,
  tuples: number,
  table: string,
  key: string,
): Promise<number | undefined> {
  if (tuples > 0) return tuples;
  if (!/int/.test(type)) return undefined;
  const [range] = await session.query<{ rows: number | null }>(
    `select (max(${key})::numeric - min(${key}) + 1)::float8 as rows from ${table}`,
  );
  return range?.rows ?? 0;
}
