import type { SchemaDescription } from '../drift/description.ts';
import { keyOf } from '../drift/difference.ts';
import type { Session } from '../session.ts';
import type { Blocker } from './align/align-step.ts';

/** What the server would refuse in the middle, whatever the rows and the columns are: names that are taken, and rights. */
export async function hindrancesOf(
  session: Session,
  target: SchemaDescription,
  live: SchemaDescription,
): Promise<Blocker[]> {
  const tables = target.filter(({ kind }) => kind === 'table');
  const there = new Set(live.map(keyOf));
  const missing = tables.filter((table) => !there.has(keyOf(table)));
  const present = tables.filter((table) => there.has(keyOf(table)));
  return [
    ...(await takenNames(session, namesOf(missing))),
    ...(await othersTables(session, namesOf(present))),
    ...(await schemaRights(session)),
  ];
}

const namesOf = (objects: SchemaDescription): string[] => objects.map(({ name }) => name);

// Of a table that is there the row type is no obstacle, and neither is the array type that gives way by itself.
const TAKEN = `select t as name from unnest($1::text[]) t
  where to_regclass(t) is not null
    or exists (select from pg_catalog.pg_type y where y.oid = to_regtype(t) and y.typelem = 0 and y.typrelid = 0)`;

async function takenNames(session: Session, names: readonly string[]): Promise<Blocker[]> {
  const rows = await session.query<{ name: string }>(TAKEN, [names]);
  return rows.map(({ name }) => ({
    kind: 'shape',
    object: name,
    text: `${name} is no table, and the files make a table of that name. Rename what has the name.`,
  }));
}

const OTHERS = `select t as name from unnest($1::text[]) t join pg_catalog.pg_class c on c.oid = to_regclass(t)
  where not pg_catalog.pg_has_role(c.relowner, 'USAGE')`;

async function othersTables(session: Session, names: readonly string[]): Promise<Blocker[]> {
  const rows = await session.query<{ name: string }>(OTHERS, [names]);
  return rows.map(({ name }) => ({
    kind: 'rights',
    object: name,
    text: `The table ${name} belongs to another role, and only its owner can change it. Run as the owner, or make this role a member of the owner.`,
  }));
}

const RIGHTS = `select pg_catalog.has_schema_privilege('public', 'CREATE') as "mayCreate",
  coalesce(pg_catalog.has_table_privilege(to_regclass('public.schema_migrations'), 'SELECT, INSERT'), true) as "mayRecord"`;

async function schemaRights(session: Session): Promise<Blocker[]> {
  const [rights] = await session.query<{ mayCreate: boolean; mayRecord: boolean }>(RIGHTS);
  const texts = {
    public: rights?.mayCreate
      ? undefined
      : 'This role may not make tables in the schema public. Grant CREATE on it, or run as its owner.',
    'public.schema_migrations': rights?.mayRecord
      ? undefined
      : 'This role may not add rows to the ledger public.schema_migrations. Grant SELECT and INSERT on it.',
  };
  return Object.entries(texts).flatMap(([object, text]) =>
    text === undefined ? [] : [{ kind: 'rights' as const, object, text }],
  );
}
