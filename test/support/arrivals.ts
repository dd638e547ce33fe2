import { Client } from 'pg';

/** Who got statements: the names of the databases, in order, and how many sessions there. */
export interface Arrived {
  readonly places: readonly string[];
  readonly sessions: number;
}

/** What the servers themselves say about where statements arrive. */
export interface Arrivals {
  /** Whose statements arrived while `work` ran. */
  of(work: () => Promise<unknown>): Promise<Arrived>;
  close(): Promise<void>;
}

/** The service calls itself this, so that nobody else's statements count. */
export const SERVICE = 'tombstone-placed-reads';

const LOOK = `select pid || ' ' || query_start::text as seen from pg_stat_activity
  where datname = current_database() and application_name = $1 and query_start is not null`;

/** Looks into `pg_stat_activity` of each database: a session's `query_start` moves with each statement that arrives. */
export async function watchArrivals(urls: Readonly<Record<string, string>>): Promise<Arrivals> {
  const clients = Object.entries(urls).map(([name, connectionString]) => ({
    name,
    client: new Client({ connectionString }),
  }));
  for (const { client } of clients) {
    client.on('error', () => undefined);
    await client.connect();
  }
  const look = async (): Promise<Set<string>> => {
    const all = await Promise.all(
      clients.map(async ({ name, client }) =>
        (await client.query<{ seen: string }>(LOOK, [SERVICE])).rows.map(({ seen }) => `${name} ${seen}`),
      ),
    );
    return new Set(all.flat());
  };
  return {
    async of(work) {
      const before = await look();
      await work();
      const moved = [...(await look())].filter((seen) => !before.has(seen));
      const places = [...new Set(moved.map((seen) => seen.split(' ')[0] as string))].toSorted();
      return { places, sessions: moved.length };
    },
    async close() {
      for (const { client } of clients) await client.end();
    },
  };
}
