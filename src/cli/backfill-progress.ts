import type { BackfillEvent } from '../kit/migrations/index.ts';

/** One line about where a back-fill stands, for a person. */
export function describeBackfill(event: BackfillEvent): string {
  const { name, pass, rows, estimate, rowsPerSecond, remainingMs } = event;
  const of = estimate === undefined ? '' : ` of about ${grouped(estimate)} (${percentOf(rows, estimate)} %)`;
  const again = pass > 1 ? `, pass ${pass}` : '';
  const left = remainingMs === undefined ? '' : `, ${duration(remainingMs)} left`;
  return `${name}: ${grouped(rows)}${of} rows${again}, ${grouped(rowsPerSecond)}/s${left}`;
}

/** Lets the first event of a back-fill through, then one every so often, and the last one. */
export function sparse(everyMs: number): (event: BackfillEvent) => boolean {
  let next = 0;
  return ({ remainingMs, batches }) => {
    const now = performance.now();
    if (batches > 1 && remainingMs !== 0 && now < next) return false;
    next = now + everyMs;
    return true;
  };
}

const grouped = (count: number): string => Math.round(count).toLocaleString('en-US');

const percentOf = (rows: number, estimate: number): number =>
  Math.floor((rows / Math.max(estimate, 1)) * 100);

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 100) return `${seconds} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
