import { MikroORM } from '@mikro-orm/core';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway } from 'tombstone/gateway';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';

/** What each query finds in the catalogue, one line a thing: `table: what it is`. */
const CATALOGUE = `
  select c.relname || ': column ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || case when a.attnotnull then ' not null' else '' end
    || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
  where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace
  union all
  select c.relname || ': ' || pg_get_indexdef(i.indexrelid)
  from pg_index i join pg_class c on c.oid = i.indrelid where c.relnamespace = 'public'::regnamespace
  union all
  select c.relname || ': constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
  from pg_constraint k join pg_class c on c.oid = k.conrelid
  where k.contype <> 'n' and c.relnamespace = 'public'::regnamespace`;

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The lines of the tables of these names, sorted. */
async function catalogueOf(url: string, tables: ReadonlySet<string>): Promise<string[]> {
  const { rows } = await withClient(url, (client) => client.query<{ line: string }>(CATALOGUE));
  return (
    rows
      // Two spellings of one default.
      .map((row) => row.line.replace(/default '(\d+)'::numeric$/, 'default $1'))
      .filter((line) => tables.has(line.split(':')[0] ?? ''))
      .toSorted()
  );
}

/** An empty database with what the entities say, and the names of their tables. */
async function fromEntities(): Promise<{ url: string; tables: Set<string> }> {
  const { url } = await emptyTestDatabase();
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  try {
    const sql = await orm.schema.getCreateSchemaSQL();
    await withClient(url, (client) => client.query(sql));
    const tables = [...orm.getMetadata().getAll().values()].map((meta) => meta.tableName).filter(Boolean);
    return { url, tables: new Set(tables) };
  } finally {
    await orm.close();
  }
}

// What stays different between two catalogues: [only in the first, only in the second].
const difference = (a: readonly string[], b: readonly string[]): [string[], string[]] => [
  a.filter((line) => !b.includes(line)),
  b.filter((line) => !a.includes(line)),
];

describe('F51: the migrated catalogue beside the one that the entities make', () => {
  it('has the same columns, types, defaults, nullability, indexes with their conditions, uniques and foreign keys', async () => {
    const [model, migrated] = [await fromEntities(), await cloneTestDatabase()];
    expect(model.tables.size).toBeGreaterThan(15);
    const [inModel, inDatabase] = [
      await catalogueOf(model.url, model.tables),
      await catalogueOf(migrated.url, model.tables),
    ];
    expect(inDatabase.length).toBeGreaterThan(300);
    // Unique indexes without a constraint (2.11, 2.12), for which the ORM has no word; that the index is the same, the rest says.
    const constraints = [
      'billing_usage_entries: constraint billing_usage_entries_usage_log_id_unique UNIQUE (usage_log_id)',
      'usage_logs: constraint idx_usage_logs_request_id_api_key_unique UNIQUE (request_id, api_key_id)',
    ];
    expect(difference(inModel, inDatabase)).toEqual([constraints, []]);
  });

  // Each of these is one of which the original's model and schema differed, or that the comparison of the ORM does not see.
  it.each([
    ['a type', 'alter table users alter notes type varchar(9)'],
    ['a precision', 'alter table users alter balance type numeric(20,8)'],
    ['a default', 'alter table groups alter default_validity_days set default 0'],
    ['a nullable column', 'alter table users alter notes drop not null'],
    ['a missing column', 'alter table accounts drop temp_unschedulable_reason'],
    ['a full unique', 'alter table promo_codes drop constraint promo_codes_code_key'],
    [
      'the action of a foreign key',
      `alter table api_keys drop constraint api_keys_group_id_fkey,
        add constraint api_keys_group_id_fkey foreign key (group_id) references groups`,
    ],
    [
      'the condition of a partial unique',
      `drop index users_email_unique_active;
        create unique index users_email_unique_active on users (email) where deleted_at is not null`,
    ],
    [
      'the expression of an index',
      `drop index promo_codes_code_unique_upper;
        create unique index promo_codes_code_unique_upper on promo_codes (lower(code))`,
    ],
    ['the columns of an index', 'drop index idx_users_status; create index idx_users_status on users (role)'],
  ])('would differ by %s', async (_what, change) => {
    const { url } = await cloneTestDatabase();
    const tables = new Set(['users', 'groups', 'accounts', 'promo_codes', 'api_keys']);
    const before = await catalogueOf(url, tables);
    await withClient(url, (client) => client.query(change));
    const [gone, come] = difference(before, await catalogueOf(url, tables));
    expect(gone.length + come.length).toBeGreaterThan(0);
  });
});
