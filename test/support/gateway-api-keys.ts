import type { DataEntityManager } from 'tombstone';
import type { Gateway } from './gateway.ts';

let counter = 0;

/** A key as a statement by hand makes it, with nothing but the foreign keys to judge owner and group; answers its id. */
export async function insertBareKey(
  em: DataEntityManager,
  values: { user_id: string; group_id?: string | null; key?: string },
): Promise<string> {
  const columns = { name: 'bare', key: `sk-bare-${(counter += 1)}`, ...values };
  const names = Object.keys(columns);
  const sql = `insert into api_keys (${names.join(', ')}) values (${names.map(() => '?').join(', ')}) returning id`;
  const [row] = await em.execute<{ id: string }[]>(sql, Object.values(columns));
  return row?.id ?? '';
}

/** Waits until so many sessions of the database wait for a lock; asked again each time. */
export async function untilLockWaits(gateway: Gateway, count: () => number): Promise<void> {
  const sql = `select count(*)::int as waiting from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock'`;
  for (;;) {
    const [row] = await gateway.rows<{ waiting: number }>(sql);
    if ((row?.waiting ?? 0) >= count()) return;
  }
}
