import { Client } from 'pg';
import { deletionJournal } from 'tombstone';
import { gateway } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { withoutChecks } from '../without-checks.ts';
import { withoutIndexes } from '../without-indexes.ts';
import { fillTrees } from './trees/plant-trees.ts';
import { trees } from './trees/tree-module.ts';

/** Rows of each table. */
export interface Size {
  /** How many times as long as usual those are that deletions work on. */
  readonly times: number;
  readonly users: number;
  readonly apiKeys: number;
  readonly groups: number;
  readonly accounts: number;
  readonly bindings: number;
  readonly usageLogs: number;
}

const ONCE: Omit<Size, 'times'> = {
  users: 20_000,
  apiKeys: 60_000,
  groups: 200,
  accounts: 5_000,
  bindings: 15_000,
  usageLogs: 300_000,
};

/** Every table `times` as long, groups too: an answer keeps its length. */
export const sizeOf = (times: number): Size => {
  const tables = Object.entries(ONCE).map(([table, rows]) => [table, Math.round(rows * times)]);
  return { times, ...(Object.fromEntries(tables) as typeof ONCE) };
};

/** In the short form a tenth, so that it takes seconds: nearly all of its time would be spent on filling. */
export const unitOf = ({ quick }: { readonly quick: boolean }): number => (quick ? 0.1 : 1);

/** 30 % of the rows that can be dead are dead, spread evenly. */
const DEAD = `case when n % 10 in (1, 4, 7) then now() - interval '1 day' end`;

const statements = (size: Size): readonly string[] => [
  // The migrations leave a group of their own, and the numbers shall be ids.
  'truncate groups, users restart identity cascade',
  `insert into groups (name, platform, deleted_at)
   select 'group ' || n, (array['anthropic', 'openai', 'gemini'])[1 + n % 3], ${DEAD}
   from generate_series(1, ${size.groups}) n`,
  `insert into users (email, password_hash, username, balance, deleted_at)
   select 'user' || n || '@example.com', 'not a real hash', 'user ' || n, n % 100, ${DEAD}
   from generate_series(1, ${size.users}) n`,
  `insert into api_keys (user_id, key, name, group_id, ip_whitelist, deleted_at)
   select 1 + n % ${size.users}, 'sk-bench-' || n, 'key ' || n, 1 + (n / 7) % ${size.groups},
     case when n % 5 = 0 then '["10.0.0.0/8", "192.168.1.1"]'::jsonb end, ${DEAD}
   from generate_series(1, ${size.apiKeys}) n`,
  `insert into accounts (name, platform, type, priority, credentials, extra, rate_limit_reset_at, overload_until,
     expires_at, auto_pause_on_expired, deleted_at)
   select 'account ' || n, (array['anthropic', 'openai', 'gemini'])[1 + n % 3], 'oauth', n % 7,
     jsonb_build_object('access_token', repeat(md5(n::text), 6), 'refresh_token', md5(n::text), 'scopes', '["a", "b"]'::jsonb),
     jsonb_build_object('quota', n % 100, 'tags', '["x", "y", "z"]'::jsonb, 'nested', jsonb_build_object('of', n)),
     case when n % 13 = 0 then now() + interval '1 day' when n % 3 = 0 then now() - interval '1 day' end,
     case when n % 17 = 0 then now() + interval '1 day' end,
     case when n % 11 = 0 then now() - interval '1 day' end, n % 2 = 0, ${DEAD}
   from generate_series(1, ${size.accounts}) n`,
  `insert into account_groups (account_id, group_id, priority)
   select n, 1 + (n * 7 + k * 61) % ${size.groups}, k
   from generate_series(1, ${size.accounts}) n, generate_series(1, ${size.bindings / size.accounts}) k`,
  `insert into usage_logs (user_id, api_key_id, account_id, group_id, request_id, model, input_tokens, output_tokens,
     total_cost, created_at)
   select 1 + n % ${size.users}, 1 + n % ${size.apiKeys}, 1 + n % ${size.accounts}, 1 + n % ${size.groups},
     'request-' || n, 'model-' || n % 12, n % 1000, n % 500, 0.001, now() - n * interval '1 second'
   from generate_series(1, ${size.usageLogs}) n`,
];

const LONG = ['users', 'api_keys', 'accounts', 'account_groups', 'usage_logs'];

/** Migrates an empty database and fills it. */
export async function fillForComparison(url: string, size: Size): Promise<void> {
  await new Migrator({ connection: url, modules: [gateway, deletionJournal, trees] }).up();
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`set maintenance_work_mem = '512MB'`);
    await client.query('set synchronous_commit = off');
    await withoutChecks(client, () =>
      withoutIndexes(client, LONG, async () => {
        for (const statement of statements(size)) await client.query(statement);
      }),
    );
    await fillTrees(client, size.times);
    await client.query('vacuum analyze');
  } finally {
    await client.end();
  }
}
