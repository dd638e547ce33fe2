import type { Session } from '../../session.ts';
import type { LedgerTable, LedgerTool } from './foreign-ledger.ts';

/** A table with the columns of a ledger. */
export interface FoundTable extends LedgerTable {
  /** Whether columns and name together leave no doubt; some columns are such as any table may have. */
  readonly isCertain: boolean;
}

/** Columns with the types that the tool has given them in one version or another. */
type Shape = Readonly<Record<string, readonly string[]>>;

const TEXT = ['varchar', 'text'];
const INTEGER = ['int4', 'int8'];
const INSTANT = ['timestamp', 'timestamptz'];

// No two of them fit one table, and none fits our own ledger, whose columns are filename, checksum and applied_at.
const SHAPES: Readonly<Record<LedgerTool, Shape>> = {
  goose: { id: INTEGER, version_id: ['int8'], is_applied: ['bool'], tstamp: INSTANT },
  'golang-migrate': { version: ['int8'], dirty: ['bool'] },
  flyway: {
    installed_rank: ['int4'],
    version: TEXT,
    description: TEXT,
    type: TEXT,
    script: TEXT,
    checksum: ['int4'],
    installed_by: TEXT,
    installed_on: INSTANT,
    execution_time: ['int4'],
    success: ['bool'],
  },
  'mikro-orm': { id: INTEGER, name: TEXT, executed_at: INSTANT },
};

/** A column of each shape by which its tables are found without looking at every table. */
const MARKS = ['version_id', 'dirty', 'installed_rank', 'executed_at'];

const TABLES = `select n.nspname as schema, c.relname as name, format('%I.%I', n.nspname, c.relname) as "table",
    json_object_agg(a.attname, t.typname) as columns
  from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_catalog.pg_type t on t.oid = a.atttypid
  where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
    and exists (select from pg_catalog.pg_attribute m where m.attrelid = c.oid and m.attname = any($1) and not m.attisdropped)
  group by 1, 2, 3 order by 1, 2`;

interface Candidate {
  readonly schema: string;
  readonly name: string;
  readonly table: string;
  readonly columns: Readonly<Record<string, string>>;
}

/** Tables of any schema that have the columns of a ledger, all of them and no other; a name alone makes none. */
export async function ledgerTables(session: Session): Promise<FoundTable[]> {
  const candidates = await session.query<Candidate & Record<string, unknown>>(TABLES, [MARKS]);
  return candidates.flatMap(({ schema, name, table, columns }) => {
    const tool = TOOLS.find((each) => fits(columns, SHAPES[each]));
    if (tool === undefined) return [];
    // A name and an instant beside the key: jobs and imports look like that too.
    const isCertain = tool !== 'mikro-orm' || name === 'mikro_orm_migrations';
    return [{ tool, schema, name, table, isCertain }];
  });
}

const TOOLS = Object.keys(SHAPES) as LedgerTool[];

function fits(columns: Candidate['columns'], shape: Shape): boolean {
  const wanted = Object.entries(shape);
  return (
    Object.keys(columns).length === wanted.length &&
    wanted.every(([column, types]) => types.includes(columns[column] ?? ''))
  );
}
