import { Client } from 'pg';

/** What the database of phase 0 holds. */
export interface PhaseZero {
  readonly users: number;
  readonly deadUsers: number;
  readonly groups: number;
  readonly deadGroups: number;
  readonly apiKeys: number;
}

const GROUPS = 200;
const USERS = 20_000;
const API_KEYS = 60_000;

/**
 * The arrays hold what five years of hand-written SQL leave behind: duplicates (every seventh user), NULL elements
 * (every eleventh), ids of groups that never existed (every thirteenth), empty arrays and no array at all.
 */
const STATEMENTS = [
  `insert into groups (name, description, platform, deleted_at)
   select 'group ' || n, 'made by the tour', (array['anthropic', 'openai', 'gemini'])[1 + n % 3],
     case when n % 10 = 0 then now() - interval '1 day' end
   from generate_series(1, $1::int) n`,
  `insert into users (email, password_hash, username, balance, allowed_groups, deleted_at)
   select 'user' || n || '@example.com', 'not a real hash', 'user ' || n, n % 100,
     case when n % 5 = 0 then null when n % 17 = 0 then '{}'::bigint[]
     else array[1 + n % $2, 1 + (n * 7) % $2]::bigint[]
       || case when n % 7 = 0 then array[1 + n % $2]::bigint[] else '{}' end
       || case when n % 11 = 0 then array[null]::bigint[] else '{}' end
       || case when n % 13 = 0 then array[1000000 + n]::bigint[] else '{}' end end,
     case when n % 9 = 0 then now() - interval '1 day' end
   from generate_series(1, $1::int) n`,
  `insert into api_keys (user_id, key, name, group_id, deleted_at)
   select 1 + n % $2, 'sk-tour-' || n, 'key ' || n, 1 + n % $3, case when n % 8 = 0 then now() - interval '1 day' end
   from generate_series(1, $1::int) n`,
] as const;

const COUNTS = `select
  (select count(*) from users)::int as "users",
  (select count(*) from users where deleted_at is not null)::int as "deadUsers",
  (select count(*) from groups)::int as "groups",
  (select count(*) from groups where deleted_at is not null)::int as "deadGroups",
  (select count(*) from api_keys)::int as "apiKeys"`;

/** Fills a database whose schema is at phase 0, and counts what is in it. */
export async function fillPhaseZero(url: string): Promise<PhaseZero> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(STATEMENTS[0], [GROUPS]);
    await client.query(STATEMENTS[1], [USERS, GROUPS]);
    await client.query(STATEMENTS[2], [API_KEYS, USERS, GROUPS]);
    const { rows } = await client.query<PhaseZero>(COUNTS);
    return rows[0] as PhaseZero;
  } finally {
    await client.end();
  }
}
