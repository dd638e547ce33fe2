import type { Client } from 'pg';
import { tablesOf, WITH_SORA } from '../original-gateway.ts';
import { columnsByTable } from './series.ts';

/** What is told of the rows of each table: how many there are, and a sum over all that the original stored in them. */
export interface Snapshot {
  readonly columns: ReadonlyMap<string, readonly string[]>;
  readonly sums: Readonly<Record<string, string>>;
}

/** Tables of runners, and those that an adoption fills itself. */
const NOT_ROWS = /^(schema_migration|tombstone_adopt_|user_allowed_groups$|orphan_allowed_groups_audit$)/;

/** Rules set it in rows that they change. */
const TOUCHED = new Set(['accounts.updated_at', 'user_subscriptions.updated_at', 'promo_codes.updated_at']);

/**
 * What rules and files are known to change, in the form that it has in the end: the same before and after. Everything else must
 * be the same as it is.
 */
const IN_THE_END: Readonly<Record<string, string>> = {
  'usage_logs.request_id': `case when request_id <> '' and row_number() over (partition by api_key_id, request_id order by id) = 1 then request_id end`,
  'accounts.type': `case when type <> 'official' then type when coalesce(credentials ->> 'scope', '') = '' or credentials ->> 'scope' like '%user:profile%' then 'oauth' else 'setup-token' end`,
  'user_subscriptions.expires_at': `least(expires_at, '2099-12-31 23:59:59+00')`,
  'promo_codes.code': 'upper(code)',
};

/**
 * Every original row, as a sum for each table. Given an earlier snapshot, over the columns that were there then, so that new ones
 * do not count. NULL counts as the default where the specification has the column NOT NULL, and `0.50` as `0.5`.
 */
export async function snapshotRows(client: Client, earlier?: Snapshot): Promise<Snapshot> {
  const now = await columnsByTable(client);
  const columns = earlier?.columns ?? new Map([...now].filter(([table]) => !NOT_ROWS.test(table)));
  const sums: Record<string, string> = {};
  for (const [table, names] of columns) {
    const there = now.get(table) ?? [];
    const kept = names.filter((name) => name !== 'allowed_groups' && !TOUCHED.has(`${table}.${name}`));
    const missing = kept.filter((name) => !there.includes(name));
    sums[table] = missing.length > 0 ? `without ${missing.join(', ')}` : await sumOf(client, table, kept);
  }
  sums['the allowed groups'] = await allowedGroups(client, now);
  return { columns, sums };
}

async function sumOf(client: Client, table: string, columns: readonly string[]): Promise<string> {
  const values = columns.map((column) => textOf(table, column, columns)).join(', ');
  const { rows } = await client.query<{ sum: string }>(
    `select count(*) || ' rows, ' || coalesce(sum(hashtextextended(jsonb_build_array(${values})::text, 0)), 0) as sum
     from (select * ${finals(table, columns)} from public.${table}) own`,
  );
  return rows[0]?.sum ?? '';
}

/** Final forms are computed beside the columns, because a window cannot stand inside a sum. */
function finals(table: string, columns: readonly string[]): string {
  return columns
    .map((column) => ({ column, final: finalOf(table, column, columns) }))
    .map(({ column, final }) => (final === undefined ? '' : `, ${final} as final_${column}`))
    .join('');
}

/** Where a database has a column under both of its names, the old one fills the new one. */
function finalOf(table: string, column: string, columns: readonly string[]): string | undefined {
  const old = column.replace(/^(cache_creation)_(5m|1h)_/, '$1$2_');
  return old !== column && columns.includes(old)
    ? `coalesce(nullif(${column}, 0), ${old})`
    : IN_THE_END[`${table}.${column}`];
}

function textOf(table: string, column: string, columns: readonly string[]): string {
  const { type = '', fallback } = SPECIFIED.get(`${table}.${column}`) ?? {};
  const value = finalOf(table, column, columns) === undefined ? `own.${column}` : `own.final_${column}`;
  const or = fallback === undefined ? value : `coalesce(${value}, ${fallback})`;
  return type.startsWith('numeric') ? `trim_scale(${or})::text` : `(${or})::text`;
}

/** Types and defaults of the columns that are NOT NULL in the end. */
const SPECIFIED: ReadonlyMap<string, { type: string; fallback: string | undefined }> = new Map(
  tablesOf(WITH_SORA).flatMap(({ name, columns }) =>
    columns.map((column) => {
      // The original forgot NOT NULL in all tables of Sora.
      const isNotNull = column.text.includes('NOT NULL') || name.startsWith('sora_');
      const fallback = isNotNull ? /DEFAULT (.*)$/.exec(column.text)?.[1] : undefined;
      return [
        `${name}.${column.name}`,
        { type: column.text, fallback: fallback === 'now()' ? undefined : fallback },
      ] as const;
    }),
  ),
);

/** Pairs of a user and a group that exists, whether an array or the table has them, and those whose group does not. */
async function allowedGroups(
  client: Client,
  columns: ReadonlyMap<string, readonly string[]>,
): Promise<string> {
  const arrays = columns.get('users')?.includes('allowed_groups')
    ? `select distinct u.id as user_id, a.id as group_id from public.users u cross join lateral unnest(u.allowed_groups) a (id) where a.id is not null`
    : undefined;
  const stored = ['user_allowed_groups', 'orphan_allowed_groups_audit']
    .filter((table) => columns.has(table))
    .map((table) => `select user_id, group_id from public.${table}`);
  const pairs = [...(arrays ? [arrays] : []), ...stored].join(' union ');
  if (pairs === '') return 'none';
  const { rows } = await client.query<{ sum: string }>(
    `select count(*) || ' pairs, ' || coalesce(sum(hashtextextended(user_id || ':' || group_id, 0)), 0) as sum from (${pairs}) pairs`,
  );
  return rows[0]?.sum ?? '';
}
