/** A log as the model knows it: instants in microseconds since 1970, amounts as whole numbers of their last decimal. */
export interface ModelLog {
  readonly user: string;
  readonly key: string;
  readonly account: string;
  readonly model: string;
  readonly micros: bigint;
  readonly input: number;
  readonly output: number;
  readonly written: number;
  readonly read: number;
  /** In 10^-10. */
  readonly cost: bigint;
  /** In 10^-10. */
  readonly actual: bigint;
  /** In 10^-4; null counts as 1. */
  readonly rate: bigint | null;
  readonly duration: number | null;
}

/** A whole number of 10^-scale as the decimal string that PostgreSQL gives. */
export function decimal(value: bigint, scale: number): string {
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  return `${value < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

export const sum = (logs: readonly ModelLog[], of: (log: ModelLog) => number): number =>
  logs.reduce((all, log) => all + of(log), 0);
const sumBig = (logs: readonly ModelLog[], of: (log: ModelLog) => bigint): bigint =>
  logs.reduce((all, log) => all + of(log), 0n);

export const tokensOf = (log: ModelLog): number => log.input + log.output + log.written + log.read;
export const listCost = (logs: readonly ModelLog[]): string =>
  decimal(
    sumBig(logs, (log) => log.cost),
    10,
  );
export const userCost = (logs: readonly ModelLog[]): string =>
  decimal(
    sumBig(logs, (log) => log.actual),
    10,
  );
/** In 10^-14. */
export const accountUnits = (logs: readonly ModelLog[]): bigint =>
  sumBig(logs, (log) => log.cost * (log.rate ?? 10_000n));
export const accountCost = (logs: readonly ModelLog[]): string => decimal(accountUnits(logs), 14);

/** The average of the durations: of all logs, or of those that have one. */
export function averageDuration(logs: readonly ModelLog[], of: 'all' | 'measured'): number {
  const counted = of === 'all' ? logs : logs.filter((log) => log.duration !== null);
  return counted.length === 0 ? 0 : sum(counted, (log) => log.duration ?? 0) / counted.length;
}

/** The label of an instant in a zone, as JavaScript's own calendar has it. */
export function labelOf(micros: bigint, zone: string, granularity: string): string {
  const parts = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
  }).formatToParts(Number(micros / 1000n));
  const part = (type: string): string => parts.find((found) => found.type === type)?.value ?? '';
  const day = `${part('year')}-${part('month')}-${part('day')}`;
  return granularity === 'hour' ? `${day} ${part('hour')}:00` : day;
}

/** The logs by a key, in the order of the keys. */
export function groupedBy(logs: readonly ModelLog[], key: (log: ModelLog) => string): [string, ModelLog[]][] {
  const groups = new Map<string, ModelLog[]>();
  for (const log of logs) groups.set(key(log), [...(groups.get(key(log)) ?? []), log]);
  return [...groups].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
