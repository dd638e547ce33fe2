import type { Client } from 'pg';

/** What a database holds after a run, as far as a crash could have spoilt it. */
export interface Findings {
  readonly ledger: readonly string[];
  /** Lines of the journal that should be gone. */
  readonly journal: number;
  /** Tables, columns, indexes with their validity, types and functions, as text. */
  readonly schema: string;
  /** Rows, without the order in which they came. */
  readonly rows: string;
  /** Steps that stand in the audit table more than once. */
  readonly twice: readonly string[];
}

const SCHEMA = `
select string_agg(line, E'\\n' order by line) as value from (
  select 'relation ' || c.relname || ' ' || c.relkind::text as line from pg_class c
    where relnamespace = 'public'::regnamespace
  union all
  select 'column ' || attrelid::regclass || '.' || attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' ' || atthasdef
    from pg_attribute join pg_class c on c.oid = attrelid
    where attnum > 0 and not attisdropped and relnamespace = 'public'::regnamespace
  union all
  select pg_get_indexdef(indexrelid) || ' ' || indisvalid || ' ' || indisready || ' ' || indislive from pg_index
    join pg_class c on c.oid = indexrelid where relnamespace = 'public'::regnamespace
  union all
  select 'parent of ' || inhrelid::regclass || ' ' || inhparent::regclass || ' ' || inhdetachpending from pg_inherits
  union all
  select 'label ' || enumtypid::regtype || ' ' || enumlabel || ' ' || row_number() over (partition by enumtypid order by enumsortorder) from pg_enum
  union all
  select 'trigger ' || tgname from pg_trigger where not tgisinternal
) lines`;
const LEDGER = `select concat_ws(' ', filename, l.checksum, t.checksum, t.tokens) as value
  from schema_migrations l full join schema_migration_tokens t using (filename) order by 1`;
const ROWS = `select md5(string_agg(line, '|' order by line)) as value from (
  select i::text as line from items i union all select 'audit ' || step from audit union all select 'part ' || id from parts union all select 'part 1 ' || id from parts_1
) lines`;

/** Reads what the examination compares. */
export async function examine(client: Client): Promise<Findings> {
  const texts = async (sql: string): Promise<string[]> =>
    (await client.query<{ value: string }>(sql)).rows.map(({ value }) => value);
  const one = async (sql: string): Promise<string> => (await texts(sql))[0] ?? '';
  return {
    ledger: await texts(LEDGER),
    journal: Number(await one('select count(*) as value from schema_migrations_journal')),
    schema: await one(SCHEMA),
    rows: await one(ROWS),
    twice: await texts('select step as value from audit group by step having count(*) > 1 order by 1'),
  };
}

/** Whether the ledger agrees with the catalogue: everything is there as in a database whose run was not interrupted. */
export function agrees(findings: Findings, expected: Findings): boolean {
  return (
    findings.journal === 0 &&
    findings.schema === expected.schema &&
    findings.rows === expected.rows &&
    findings.ledger.join('\n') === expected.ledger.join('\n')
  );
}
