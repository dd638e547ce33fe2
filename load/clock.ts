/**
 * Milliseconds on the clock that all processes of a machine share and that nobody sets: `performance.now()` begins anew in each,
 * and the time of day may be moved between two readings.
 */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1_000_000;
}
