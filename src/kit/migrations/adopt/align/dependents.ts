import type { Session } from '../../session.ts';
import { PREFIX } from './names.ts';

/** What hangs on one column. */
export interface Dependent {
  /** `unique` is a constraint; `constraint` is any but that and a check. */
  readonly kind: 'index' | 'unique' | 'constraint' | 'check' | 'other';
  /** As the server describes it, in a sentence. */
  readonly text: string;
  /** The table at the other end of a foreign key, qualified. */
  readonly other: string | null;
}

const DEPENDENTS = `select distinct pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) as text,
    case when k.contype = 'c' then 'check' when k.contype = 'u' then 'unique' when k.oid is not null then 'constraint' when c.relkind in ('i', 'I') then 'index' else 'other' end as kind,
    (select format('%I.%I', n.nspname, o.relname) from pg_catalog.pg_class o join pg_catalog.pg_namespace n on n.oid = o.relnamespace
      where k.contype = 'f' and o.oid = case when k.conrelid = a.attrelid then k.confrelid else k.conrelid end) as other
  from pg_catalog.pg_attribute a
  join pg_catalog.pg_depend d on d.refclassid = 'pg_class'::regclass and d.refobjid = a.attrelid and d.refobjsubid = a.attnum
  left join pg_catalog.pg_constraint k on d.classid = 'pg_constraint'::regclass and k.oid = d.objid
  left join pg_catalog.pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
  left join pg_catalog.pg_trigger t on d.classid = 'pg_trigger'::regclass and t.oid = d.objid
  where a.attrelid = to_regclass($1) and a.attname = $2
    and not (d.classid = 'pg_attrdef'::regclass and exists (select from pg_catalog.pg_attrdef f where f.oid = d.objid and f.adrelid = a.attrelid and f.adnum = a.attnum))
    and coalesce(k.contype <> 'n', true)
    and not starts_with(coalesce(k.conname, t.tgname, c.relname, '')::text, '${PREFIX}')`;

/** What has to be made anew, or stands in the way, when a column gets another type. Our own helpers are left out. */
export async function dependentsOf(session: Session, table: string, column: string): Promise<Dependent[]> {
  return session.query<Dependent>(`${DEPENDENTS} order by 1`, [table, column]);
}

/** What a column has beside its type, and what happens on an update of its table. */
export interface ShadowFacts {
  readonly hasGrants: boolean;
  readonly hasOptions: boolean;
  /** The comment on the column. */
  readonly comment: string | null;
  /** BEFORE triggers that could change the value after ours has copied it. */
  readonly later: readonly string[];
  /** Triggers that every update of a row fires, whatever it changes. */
  readonly fired: readonly string[];
  /** Whether this role may keep those from firing. */
  readonly maySilence: boolean;
}

const SHADOW = `select a.attacl is not null as "hasGrants", a.attoptions is not null as "hasOptions",
    pg_catalog.col_description(a.attrelid, a.attnum) as comment,
    array(select t.tgname::text from pg_catalog.pg_trigger t where t.tgrelid = a.attrelid and not t.tgisinternal and t.tgenabled <> 'D'
      and t.tgtype & 3 = 3 and t.tgtype & 20 <> 0 and t.tgname::text collate "C" > $3) as later,
    array(select t.tgname::text from pg_catalog.pg_trigger t where t.tgrelid = a.attrelid and not t.tgisinternal and t.tgenabled <> 'D'
      and t.tgtype & 16 <> 0 and t.tgattr = '' and not starts_with(t.tgname::text, '${PREFIX}')) as fired
  from pg_catalog.pg_attribute a where a.attrelid = to_regclass($1) and a.attname = $2`;

export async function shadowFacts(
  session: Session,
  table: string,
  { column, trigger }: { readonly column: string; readonly trigger: string },
): Promise<ShadowFacts> {
  const [facts] = await session.query<Omit<ShadowFacts, 'maySilence'>>(SHADOW, [table, column, trigger]);
  return { ...(facts as Omit<ShadowFacts, 'maySilence'>), maySilence: await maySilence(session) };
}

/** Only a superuser, or from PostgreSQL 15 on a role that was granted it. */
async function maySilence(session: Session): Promise<boolean> {
  const [role] = await session.query<{ isSuper: boolean; version: number }>(
    `select rolsuper as "isSuper", current_setting('server_version_num')::int as version from pg_catalog.pg_roles where rolname = current_user`,
  );
  if (role?.isSuper || (role?.version ?? 0) < 150_000) return role?.isSuper === true;
  const [granted] = await session.query<{ may: boolean }>(
    `select has_parameter_privilege('session_replication_role', 'set') as may`,
  );
  return granted?.may === true;
}
