import type { EntityMetadata } from '@mikro-orm/core';
import { escapeIdentifier } from 'pg';

/** A column as the catalogue describes it. */
export interface CatalogueColumn {
  readonly name: string;
  /** As it can stand behind `::`. */
  readonly type: string;
  /** The same with its precision or length. */
  readonly storedType: string;
  readonly nullable: boolean;
  readonly generated: boolean;
}

export interface CatalogueTable {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly CatalogueColumn[];
  readonly primaryKey: readonly string[];
  /** Whether any foreign key refers to it. */
  readonly referenced: boolean;
  /** Whether a trigger or a rule, none of ours, sees a row before it is updated, and may keep it as it is. */
  readonly resists: boolean;
}

/** The first letter of the catalogue's: NO ACTION, RESTRICT, CASCADE, SET NULL, SET DEFAULT. */
export type OnDelete = 'a' | 'r' | 'c' | 'n' | 'd';

export interface CatalogueKey {
  readonly constraint: string;
  readonly child: string;
  readonly parent: string;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  readonly onDelete: OnDelete;
  /** The columns of ON DELETE SET NULL (…), where it names some. */
  readonly emptied: readonly string[];
  /** MATCH FULL: all of its columns are null, or none. */
  readonly matchesFull: boolean;
  readonly deferrable: boolean;
  /** Whether its last column is a PERIOD, which the periods of the parent have to cover. */
  readonly period: boolean;
  /** The conditions of the indexes that begin with its columns; null for one of all rows. */
  readonly indexes: readonly (string | null)[];
}

/** What the database knows of the tables of registered entities and of those that refer to them. */
export interface Catalogue {
  readonly hasJournal: boolean;
  /** Whether rows can be held: the table is younger than the journal. */
  readonly hasHolds: boolean;
  /** By the position of the asked table; null where there is none. */
  readonly places: readonly (string | null)[];
  readonly keys: readonly CatalogueKey[];
  readonly tables: readonly CatalogueTable[];
}

/** Runs one statement; `?` stands for a parameter. */
export type Run = <Row extends object>(sql: string, params?: readonly unknown[]) => Promise<Row[]>;

// PostgreSQL 14 has no confdelsetcols, and the JSON of a row does without it. A partition repeats the keys of its parent as keys of
// its own, which conparentid tells.
const KEYS = `
  with places as (
    select place, number, pg_catalog.to_regclass(place)::oid as oid
    from json_array_elements_text(?::json) with ordinality as p (place, number)
  ), keys as (
    select c.* from pg_catalog.pg_constraint c
    where c.contype = 'f' and c.conparentid = 0
      and (c.confrelid in (select oid from places) or c.conrelid in (select oid from places))
  )
  select
    pg_catalog.to_regclass('deletion_batches') is not null
      and pg_catalog.to_regclass('deletion_rows') is not null as "hasJournal",
    pg_catalog.to_regclass('deletion_holds') is not null as "hasHolds",
    (select json_agg(oid::text order by number) from places) as places,
    (select coalesce(json_agg(json_build_object(
      'constraint', k.conname, 'child', k.conrelid::text, 'parent', k.confrelid::text, 'onDelete', k.confdeltype,
      'deferrable', k.condeferrable, 'matchesFull', k.confmatchtype = 'f', 'period', coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false),
      'columns', (select json_agg(a.attname order by n) from unnest(k.conkey) with ordinality as u (number, n)
        join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number),
      'referenced', (select json_agg(a.attname order by n) from unnest(k.confkey) with ordinality as u (number, n)
        join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = u.number),
      'emptied', (select coalesce(json_agg(a.attname), '[]') from jsonb_array_elements_text(
          case jsonb_typeof(to_jsonb(k) -> 'confdelsetcols') when 'array' then to_jsonb(k) -> 'confdelsetcols' end) as u (number)
        join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = u.number::int),
      'indexes', (select coalesce(json_agg(pg_catalog.pg_get_expr(i.indpred, i.indrelid)), '[]') from pg_catalog.pg_index i
        where i.indrelid = k.conrelid and i.indisvalid
          and k.conkey <@ (string_to_array(i.indkey::text, ' ')::int2[])[1:cardinality(k.conkey)])
    ) order by k.conname, k.conrelid), '[]') from keys k) as keys,
    (select coalesce(json_agg(json_build_object(
      'oid', t.oid::text, 'schema', n.nspname, 'name', t.relname,
      'referenced', exists (select from pg_catalog.pg_constraint r where r.contype = 'f' and r.confrelid = t.oid),
      'resists', exists (select from pg_catalog.pg_trigger g where g.tgrelid = t.oid and not g.tgisinternal
          and g.tgenabled <> 'D' and g.tgtype & 19 = 19 and left(g.tgname, 10) <> 'tombstone_')
        or exists (select from pg_catalog.pg_rewrite w where w.ev_class = t.oid and w.ev_type = '2'),
      'primaryKey', (select coalesce(json_agg(a.attname order by u.n), '[]')
        from pg_catalog.pg_constraint c, unnest(c.conkey) with ordinality as u (number, n), pg_catalog.pg_attribute a
        where c.contype = 'p' and c.conrelid = t.oid and a.attrelid = t.oid and a.attnum = u.number),
      'columns', (select json_agg(json_build_object('name', a.attname,
          'type', pg_catalog.format_type(a.atttypid, -1),
          'storedType', pg_catalog.format_type(a.atttypid, a.atttypmod), 'nullable', not a.attnotnull, 'generated', a.attgenerated <> ''
        ) order by a.attnum)
        from pg_catalog.pg_attribute a where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped)
    )), '[]') from pg_catalog.pg_class t join pg_catalog.pg_namespace n on n.oid = t.relnamespace
    where t.oid in (select oid from places) or t.oid in (select conrelid from keys) or t.oid in (select confrelid from keys)) as tables`;

/** Reads all that the policies are compiled from, in one statement. */
export async function readCatalogue(run: Run, places: readonly string[]): Promise<Catalogue> {
  const [found] = await run<Catalogue>(KEYS, [JSON.stringify(places)]);
  return found as Catalogue;
}

/** How `to_regclass` finds the table of an entity that has no schema of its own: in that of the configuration. */
export function placeOf({ root: { schema, tableName } }: EntityMetadata, own: string | undefined): string {
  const given = schema === undefined || schema === '*' ? own : schema;
  return [...(given === undefined ? [] : [given]), tableName].map(escapeIdentifier).join('.');
}
