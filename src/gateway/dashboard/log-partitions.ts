import type { DataEntityManager } from '../../kit/orm/index.ts';

const IS_PARTITIONED = `select exists (select from pg_class where oid = to_regclass('usage_logs') and relkind = 'p') as partitioned`;

// A bound is a text with its offset in it, so the session's zone does not matter. MINVALUE, MAXVALUE and a default
// partition have none.
const PARTITIONS = `select format('%I.%I', n.nspname, c.relname) as name,
    substring(pg_get_expr(c.relpartbound, c.oid) from $re$FROM \\('([^']+)'\\)$re$)::timestamptz as lower,
    substring(pg_get_expr(c.relpartbound, c.oid) from $re$TO \\('([^']+)'\\)$re$)::timestamptz as upper
  from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
  where i.inhparent = to_regclass('usage_logs')`;

const EXPIRED = `select name from (${PARTITIONS}) p where upper <= ?::timestamptz order by upper`;
const COVERING = `select name from (${PARTITIONS}) p where lower <= ?::timestamptz and upper >= ?::timestamptz`;

/** Whether this installation has divided its usage logs by month; ours come undivided. */
export async function isPartitioned(em: DataEntityManager): Promise<boolean> {
  const [row] = await em.execute<{ partitioned: boolean }[]>(IS_PARTITIONED);
  return row?.partitioned === true;
}

/** Drops the partitions that end at the cutoff or before it; answers their names. */
export async function dropPartitions(em: DataEntityManager, cutoff: Date): Promise<string[]> {
  const expired = await em.execute<{ name: string }[]>(EXPIRED, [cutoff]);
  for (const { name } of expired) await em.execute(`drop table ${name}`);
  return expired.map(({ name }) => name);
}

/** Makes the partitions of the UTC month before, of this one and of the next one where there are none; answers their names. */
export async function makePartitions(em: DataEntityManager, now: Date): Promise<string[]> {
  const made: string[] = [];
  for (const offset of [-1, 0, 1]) {
    const [start, end] = [monthOf(now, offset), monthOf(now, offset + 1)];
    const covering = await em.execute<unknown[]>(COVERING, [start, end]);
    if (covering.length > 0) continue;
    const name = `usage_logs_${start.slice(0, 7).replace('-', '')}`;
    await em.execute(
      `create table ${name} partition of usage_logs for values from ('${start}') to ('${end}')`,
    );
    made.push(name);
  }
  return made;
}

/** The first instant of a month in UTC. A bound cannot be a parameter; this holds digits and signs only. */
function monthOf(now: Date, offset: number): string {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset)).toISOString();
}
