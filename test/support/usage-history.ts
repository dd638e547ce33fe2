import { Client } from 'pg';
import { fillHistory, GENERATION } from '../../bench/usage-history.ts';

export const LOGS = 5_000_000;

/** Of the sample; it has no divisor in common with the users of a generation. */
const EVERY = 49;

/** So many logs have each actor. */
const GENERATIONS = LOGS / GENERATION.logs;
const DISTINCT = {
  usage_logs: {
    user_id: GENERATIONS * GENERATION.users,
    api_key_id: GENERATIONS * GENERATION.users,
    subscription_id: GENERATIONS * GENERATION.users,
    account_id: GENERATIONS * GENERATION.accounts,
    request_id: -1,
  },
  billing_usage_entries: {
    user_id: GENERATIONS * GENERATION.users,
    api_key_id: GENERATIONS * GENERATION.users,
    subscription_id: GENERATIONS * GENERATION.users,
    usage_log_id: -1,
  },
} as const;

/**
 * Lets the planner see five million logs and their ledger where every 49th of them is stored. ANALYZE finds the distribution of
 * the columns in those, as it would in a sample of all; the numbers of different values, which it cannot know from a part, are
 * told, and so are the numbers of rows. Only the pages are fewer than they would be, and a scan of the whole table looks
 * cheaper to the planner than it would be.
 */
export async function plantHistory(url: string, until: Date): Promise<void> {
  await withClient(url, async (client) => {
    for (const [table, columns] of Object.entries(DISTINCT)) {
      // It would count the rows again.
      await client.query(`alter table ${table} set (autovacuum_enabled = false)`);
      for (const [column, distinct] of Object.entries(columns))
        await client.query(`alter table ${table} alter ${column} set (n_distinct = ${distinct})`);
    }
    await fillHistory(client, { rows: LOGS, until, every: EVERY });
    await client.query(`update pg_class set reltuples = reltuples * ${EVERY} where oid in (
      select indexrelid from pg_index where indrelid in ('usage_logs'::regclass, 'billing_usage_entries'::regclass)
      union select 'usage_logs'::regclass union select 'billing_usage_entries'::regclass)`);
  });
}

/** The same with every row. Takes minutes and 4 GB. */
export async function fillWholeHistory(url: string, until: Date): Promise<void> {
  await withClient(url, (client) => fillHistory(client, { rows: LOGS, until }));
}

async function withClient(url: string, work: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
