import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const zero = (type: string) => `${type} not null default 0`;
const counts = [
  'total_requests',
  'input_tokens',
  'output_tokens',
  'cache_creation_tokens',
  'cache_read_tokens',
];
const measures = {
  ...Object.fromEntries(counts.map((name) => [name, zero('bigint')])),
  total_cost: zero('numeric(20,10)'),
  actual_cost: zero('numeric(20,10)'),
  total_duration_ms: zero('bigint'),
  active_users: zero('bigint'),
  computed_at: 'timestamp with time zone not null default now()',
};
const TABLES = {
  usage_dashboard_hourly: { bucket_start: 'timestamp with time zone not null', ...measures },
  usage_dashboard_daily: { bucket_date: 'date not null', ...measures },
  usage_dashboard_hourly_users: {
    bucket_start: 'timestamp with time zone not null',
    user_id: 'bigint not null',
  },
  usage_dashboard_daily_users: { bucket_date: 'date not null', user_id: 'bigint not null' },
  usage_dashboard_aggregation_watermark: {
    id: 'integer not null',
    last_aggregated_at: expect.stringContaining(`not null default '1970-01-01 00:00:00+00'`),
    updated_at: 'timestamp with time zone not null default now()',
  },
};

describe('the tables of the dashboard, which no entity describes', () => {
  it('are those of the specification', async () => {
    const rows = await gateway.rows<{ table: string; column: string; type: string }>(
      `select c.relname as table, a.attname as column, concat_ws(' ', format_type(a.atttypid, a.atttypmod),
        case when a.attnotnull then 'not null' end, 'default ' || pg_get_expr(d.adbin, d.adrelid)) as type
       from pg_attribute a join pg_class c on c.oid = a.attrelid
       left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
       where c.relkind = 'r' and c.relname like 'usage\\_dashboard\\_%' and a.attnum > 0 and not a.attisdropped`,
    );
    const found: Record<string, Record<string, string>> = {};
    for (const { table, column, type } of rows) found[table] = { ...found[table], [column]: type };
    expect(found).toEqual(TABLES);
  });

  it('have their keys and indexes, and refer to nothing', async () => {
    const indexes = await gateway.rows<{ indexdef: string }>(
      `select replace(substring(indexdef from 'USING.*'), 'USING btree ', tablename || ' ') as indexdef
       from pg_indexes where tablename like 'usage\\_dashboard\\_%' order by 1`,
    );
    expect(indexes.map(({ indexdef }) => indexdef)).toEqual([
      'usage_dashboard_aggregation_watermark (id)',
      'usage_dashboard_daily (bucket_date DESC)',
      'usage_dashboard_daily (bucket_date)',
      'usage_dashboard_daily_users (bucket_date, user_id)',
      'usage_dashboard_hourly (bucket_start DESC)',
      'usage_dashboard_hourly (bucket_start)',
      'usage_dashboard_hourly_users (bucket_start, user_id)',
    ]);
    const keys = `select conname from pg_constraint where contype = 'f' and conrelid::regclass::text like 'usage\\_dashboard%'`;
    expect(await gateway.rows(keys)).toEqual([]);
    expect(await gateway.rows('select id from usage_dashboard_aggregation_watermark')).toEqual([{ id: 1 }]);
  });
});
