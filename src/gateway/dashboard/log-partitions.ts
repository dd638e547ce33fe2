import type { DataEntityManager } from '../../kit/orm/index.ts';

const IS_PARTITIONED = `select exists (select from pg_class where oid = to_regclass('usage_logs') and relkind = 'p') as partitioned`;

const bound = (
  side: string,
  open: string,
  infinite: string,
): string => `case when bound like '%${side} (${open})%'
    then '${infinite}' else substring(bound from $re$${side} \\('([^']+)'\\)$re$) end::timestamptz`;

// A bound is a text with its offset in it, so the session's zone does not matter. A default partition has none.
const PARTITIONS = `select name, ${bound('FROM', 'MINVALUE', '-infinity')} as lower,
    ${bound('TO', 'MAXVALUE', 'infinity')} as upper
  from (
    select format('%I.%I', n.nspname, c.relname) as name, pg_get_expr(c.relpartbound, c.oid) as bound
    from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_namespace n on n.oid = c.relnamespace
    where i.inhparent = to_regclass('usage_logs')
  ) bounds`;

const EXPIRED = `select name, lower::text, upper::text from (${PARTITIONS}) p where p.upper <= ?::timestamptz order by p.upper`;
const NAMED = `select name from (${PARTITIONS}) p where name = ?`;
const COVERING = `select name from (${PARTITIONS}) p where lower <= ?::timestamptz and upper >= ?::timestamptz`;

const DEFAULT_PARTITION = `select format('%I.%I', n.nspname, c.relname) as name from pg_partitioned_table p
  join pg_class c on c.oid = p.partdefid join pg_namespace n on n.oid = c.relnamespace
  where p.partrelid = to_regclass('usage_logs')`;

/** A partition of the logs; its bounds are instants as PostgreSQL writes them. */
export interface Partition {
  /** With its schema, quoted where it must be. */
  readonly name: string;
  readonly lower: string;
  readonly upper: string;
}

/** A UTC month as the bounds of a partition: digits and signs only, because a bound cannot be a parameter. */
export interface Month {
  readonly name: string;
  readonly start: string;
  readonly end: string;
}

/** Whether `usage_logs` is divided, by `gatewayUsagePartitions` or by hand. */
export async function isPartitioned(em: DataEntityManager): Promise<boolean> {
  const [row] = await em.execute<{ partitioned: boolean }[]>(IS_PARTITIONED);
  return row?.partitioned === true;
}

/** The partitions that end at the cutoff or before it, the first one first. */
export async function expiredPartitions(em: DataEntityManager, cutoff: Date): Promise<Partition[]> {
  return em.execute<Partition[]>(EXPIRED, [cutoff]);
}

/**
 * Whether a partition that was found before is still there. The tables of the catalogue are read, because to_regclass asks
 * the session's cache, which may not have heard yet of what was dropped while it waited for a lock.
 */
export async function isPartition(em: DataEntityManager, name: string): Promise<boolean> {
  return (await em.execute<unknown[]>(NAMED, [name])).length > 0;
}

/** The partition for what no other one takes, named as the others are. */
export async function defaultPartition(em: DataEntityManager): Promise<string | undefined> {
  const [row] = await em.execute<{ name: string }[]>(DEFAULT_PARTITION);
  return row?.name;
}

/** Drops the partitions that end at the cutoff or before it; answers their names. */
export async function dropPartitions(em: DataEntityManager, cutoff: Date): Promise<string[]> {
  const expired = await expiredPartitions(em, cutoff);
  for (const { name } of expired) await em.execute(`drop table ${name}`);
  return expired.map(({ name }) => name);
}

/** Makes the partitions of the UTC month before, of this one and of the next one where there are none; answers their names. */
export async function makePartitions(em: DataEntityManager, now: Date): Promise<string[]> {
  const made: string[] = [];
  for (const month of monthsAround(now)) {
    if (await isCovered(em, month)) continue;
    const { name, start, end } = month;
    await em.execute(
      `create table ${name} partition of usage_logs for values from ('${start}') to ('${end}')`,
    );
    made.push(name);
  }
  return made;
}

/** Whether one partition holds all of the month. */
export async function isCovered(em: DataEntityManager, { start, end }: Month): Promise<boolean> {
  const covering = await em.execute<unknown[]>(COVERING, [start, end]);
  return covering.length > 0;
}

/** The month before, this one and the next one. */
export function monthsAround(now: Date): Month[] {
  return [-1, 0, 1].map((offset) => {
    const [start, end] = [startOfMonth(now, offset), startOfMonth(now, offset + 1)];
    return { name: `usage_logs_${start.slice(0, 7).replace('-', '')}`, start, end };
  });
}

/** The first instant of a UTC month: that of the date, or so many later. */
export function startOfMonth(now: Date, offset = 0): string {
  return new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset)).toISOString();
}
