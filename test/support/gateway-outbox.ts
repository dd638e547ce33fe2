import type { Gateway } from './gateway.ts';

/**
 * Until every event that is committed may be read. Transactions of other databases of the server hold it back too, and other
 * tests have such.
 */
export async function untilSettled(gateway: Gateway): Promise<void> {
  const sql = 'select from scheduler_outbox where txid >= pg_snapshot_xmin(pg_current_snapshot()) limit 1';
  while ((await gateway.rows(sql)).length > 0);
}
