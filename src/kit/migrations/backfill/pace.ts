import type { Throttle } from './directive.ts';

/** How long to pause behind a batch that took this long. */
export function pauseFor(throttle: Throttle | undefined, batchMs: number): number {
  if (!throttle) return 0;
  if (throttle.kind === 'pause') return throttle.ms;
  return batchMs * (100 / throttle.percent - 1);
}

/** Measures how fast a pass goes; rows that an earlier run has done do not count. */
export class Pace {
  readonly #start = performance.now();
  #rows = 0;

  take(rows: number): void {
    this.#rows += rows;
  }

  /** Pauses included, because they will be taken again. */
  get rowsPerSecond(): number {
    return (this.#rows / Math.max(performance.now() - this.#start, 1)) * 1000;
  }

  /** Undefined where the size of the table is not known. */
  remainingMs(done: number, estimate: number | undefined): number | undefined {
    const rate = this.rowsPerSecond;
    if (estimate === undefined || rate === 0) return undefined;
    return (Math.max(estimate - done, 0) / rate) * 1000;
  }
}
