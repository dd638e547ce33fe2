import type { Session } from '../session.ts';
import { LIVE_COLUMN } from './names.ts';
import type { LiveRelation, RelationPlace } from './relation.ts';

const names = (numbers: string, table: string): string =>
  `(select json_agg(a.attname order by n) from unnest(${numbers}) with ordinality as u (number, n)
      join pg_catalog.pg_attribute a on a.attrelid = ${table} and a.attnum = u.number)`;

const live = (table: string): string =>
  `(select a.attnum from pg_catalog.pg_attribute a where a.attrelid = ${table} and a.attname = '${LIVE_COLUMN}' and not a.attisdropped)`;

/** What a back-fill takes as its key: one column, NOT NULL, unique, of a type that it knows. */
const fillKey = (table: string): string =>
  `(select a.attname from pg_catalog.pg_index i
      join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] and a.attnotnull
      where i.indrelid = ${table} and i.indisunique and i.indisvalid and i.indpred is null and i.indexprs is null and i.indnkeyatts = 1
        and format_type(a.atttypid, null) in ('smallint', 'integer', 'bigint', 'uuid', 'text', 'character varying')
      order by i.indisprimary desc, i.indexrelid limit 1)`;

const table = (oid: string): string => `(select json_build_object(
    'schema', n.nspname, 'name', t.relname, 'isVisible', pg_catalog.pg_table_is_visible(t.oid),
    'isDivided', t.relkind <> 'r' or t.relispartition or exists (
      select from pg_catalog.pg_inherits h where t.oid in (h.inhrelid, h.inhparent)),
    'hasLiveColumn', ${live('t.oid')} is not null,
    'hasLiveCheck', exists (select from pg_catalog.pg_constraint c
      where c.conrelid = t.oid and c.contype = 'c' and ${live('t.oid')} = any (c.conkey)),
    'primaryKey', coalesce((select ${names('c.conkey', 't.oid')} from pg_catalog.pg_constraint c
      where c.contype = 'p' and c.conrelid = t.oid), '[]'),
    'fillKey', ${fillKey('t.oid')})
  from pg_catalog.pg_class t join pg_catalog.pg_namespace n on n.oid = t.relnamespace where t.oid = ${oid})`;

/** The same columns, in whatever order, and the live one behind them. */
const twin = `(select f from pg_catalog.pg_constraint f
    where f.contype = 'f' and f.conrelid = k.conrelid and f.confrelid = k.confrelid
      and f.conkey @> k.conkey and f.conkey <@ (k.conkey || ${live('k.conrelid')})
      and f.conkey @> array[${live('k.conrelid')}] limit 1)`;

// Of a partition, conparentid tells the key that it repeats.
const RELATIONS = `
  select k.conname as constraint, ${table('k.conrelid')} as child, ${table('k.confrelid')} as parent,
    ${names('k.conkey', 'k.conrelid')} as columns, ${names('k.confkey', 'k.confrelid')} as referenced,
    exists (select from pg_catalog.pg_index i where i.indrelid = k.conrelid and i.indisvalid and i.indpred is null
      and i.indnkeyatts >= cardinality(k.conkey)
      and k.conkey <@ (i.indkey::int2[])[0:cardinality(k.conkey) - 1]) as "isIndexed",
    exists (select from pg_catalog.pg_index i where i.indrelid = k.confrelid and i.indisunique and i.indisvalid
      and i.indpred is null and i.indexprs is null and i.indnkeyatts = cardinality(k.confkey) + 1
      and (k.confkey || ${live('k.confrelid')}) <@ i.indkey::int2[]) as "hasParentKey",
    (${twin}).conname as "liveKey", coalesce((${twin}).convalidated, false) as "isValidated"
  from pg_catalog.pg_constraint k
  where k.contype = 'f' and k.conparentid = 0 and coalesce(${live('k.conrelid')}, 0) <> all (k.conkey)`;

interface Place {
  readonly constraint?: string;
  readonly regclass?: string;
  readonly columns?: readonly string[];
}

function placeOf(place: RelationPlace): Place {
  if ('constraint' in place) return place;
  const parts = [...(place.schema === undefined ? [] : [place.schema]), place.table];
  return {
    regclass: parts.map((name) => `"${name.replaceAll('"', '""')}"`).join('.'),
    columns: place.columns,
  };
}

/** The foreign keys that a name means: several where schemas repeat the name. */
export async function readRelations(session: Session, place: RelationPlace): Promise<LiveRelation[]> {
  const { constraint, regclass, columns } = placeOf(place);
  const found = await session.query<LiveRelation & Record<string, unknown>>(
    `${RELATIONS} and ($1::text is null or k.conname = $1) and ($2::text is null or k.conrelid = pg_catalog.to_regclass($2))`,
    [constraint ?? null, regclass ?? null],
  );
  return found.filter((relation) => columns === undefined || isSame(relation.columns, columns));
}

/** Every foreign key that has the guarantee. */
export async function readGuarded(session: Session): Promise<LiveRelation[]> {
  return session.query<LiveRelation & Record<string, unknown>>(
    `select * from (${RELATIONS}) r where "liveKey" is not null order by "liveKey", child ->> 'schema'`,
  );
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name));
}
