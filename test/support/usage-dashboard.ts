import type { Gateway } from './gateway.ts';
import { decimal, groupedBy, labelOf, type ModelLog, sum } from './usage-model.ts';

/** The table of hours or of days as text, but for when it was computed. */
export async function storedBuckets(gateway: Gateway, table: 'hourly' | 'daily'): Promise<object[]> {
  const key =
    table === 'hourly'
      ? `(extract(epoch from bucket_start) * 1000000)::bigint::text as bucket`
      : 'bucket_date::text as bucket';
  return gateway.rows(`select ${key}, total_requests, input_tokens, output_tokens, cache_creation_tokens,
    cache_read_tokens, total_cost, actual_cost, total_duration_ms, active_users from usage_dashboard_${table} order by 1`);
}

/** What the tables must hold of these logs. */
export function modelBuckets(logs: readonly ModelLog[], table: 'hourly' | 'daily', zone: string): object[] {
  const key = (log: ModelLog): string =>
    table === 'hourly' ? String(hourOf(log.micros, zone)) : labelOf(log.micros, zone, 'day');
  return groupedBy(logs, key).map(([bucket, of]) => ({
    bucket,
    total_requests: String(of.length),
    input_tokens: String(sum(of, (log) => log.input)),
    output_tokens: String(sum(of, (log) => log.output)),
    cache_creation_tokens: String(sum(of, (log) => log.written)),
    cache_read_tokens: String(sum(of, (log) => log.read)),
    total_cost: decimal(
      of.reduce((all, log) => all + log.cost, 0n),
      10,
    ),
    actual_cost: decimal(
      of.reduce((all, log) => all + log.actual, 0n),
      10,
    ),
    total_duration_ms: String(sum(of, (log) => log.duration ?? 0)),
    active_users: String(new Set(of.map((log) => log.user)).size),
  }));
}

const MINUTE = 60_000_000n;

/** The instant at which the clock of the zone last showed a full hour, reckoned back by the minutes that it shows. */
function hourOf(micros: bigint, zone: string): bigint {
  const clock = new Intl.DateTimeFormat('en', { timeZone: zone, minute: 'numeric' });
  return micros - (micros % MINUTE) - BigInt(clock.format(Number(micros / 1000n))) * MINUTE;
}
