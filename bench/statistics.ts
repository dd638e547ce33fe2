/** A median, and the interval that holds the true one with 95 % certainty. */
export interface Interval {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** The value below which `share` of the values lie. */
export function percentile(values: readonly number[], share: number): number {
  return at(
    values.toSorted((a, b) => a - b),
    Math.floor(values.length * share),
  );
}

/** Needs no assumption about the noise: only that a value is as likely above the true median as below it. */
export function medianOf(values: readonly number[]): Interval {
  const sorted = values.toSorted((a, b) => a - b);
  const n = sorted.length;
  const rank = Math.max(0, Math.floor((n - 1.96 * Math.sqrt(n)) / 2));
  return { median: percentile(values, 0.5), low: at(sorted, rank), high: at(sorted, n - 1 - rank) };
}

function at(sorted: readonly number[], index: number): number {
  return sorted[Math.min(sorted.length - 1, index)] ?? Number.NaN;
}
