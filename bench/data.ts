import { Client } from 'pg';

export const SIZE = { users: 20_000, groups: 200, apiKeys: 60_000 } as const;

/** 30 % of the rows that can be dead are dead, spread evenly. */
const DEAD = `case when n % 10 in (1, 4, 7) then now() - interval '1 day' end`;

const STATEMENTS = [
  `insert into groups (name, platform, deleted_at)
   select 'group ' || n, (array['anthropic', 'openai', 'gemini'])[1 + n % 3], ${DEAD}
   from generate_series(1, ${SIZE.groups}) n`,
  `insert into users (email, password_hash, username, balance, deleted_at)
   select 'user' || n || '@example.com', 'not a real hash', 'user ' || n, n % 100, ${DEAD}
   from generate_series(1, ${SIZE.users}) n`,
  `insert into api_keys (user_id, key, name, group_id, deleted_at)
   select 1 + n % ${SIZE.users}, 'sk-bench-' || n, 'key ' || n, 1 + (n / 7) % ${SIZE.groups}, ${DEAD}
   from generate_series(1, ${SIZE.apiKeys}) n`,
  `insert into user_allowed_groups (user_id, group_id)
   select u, 1 + (u * 7 + n * 31) % ${SIZE.groups} from generate_series(1, ${SIZE.users}) u, generate_series(1, 2) n`,
  `insert into user_subscriptions (user_id, group_id, starts_at, expires_at, deleted_at)
   select 1 + n % ${SIZE.users}, 1 + (n * 13) % ${SIZE.groups}, now(), now() + interval '30 days', ${DEAD}
   from generate_series(1, ${2 * SIZE.users}) n on conflict do nothing`,
  'analyze',
] as const;

/** Fills a migrated gateway database. */
export async function fill(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of STATEMENTS) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** The number of a live row, different for every index. */
export function liveNumber(index: number, limit: number): number {
  const n = 1 + ((index * 7919) % limit);
  return [1, 4, 7].includes(n % 10) ? n + 1 : n;
}
