/** One way to do a workload. The first variant of a workload is the floor that the others are compared with. */
export interface Variant {
  readonly name: string;
  /** Makes what the work needs, before each call; not timed. */
  prepare?(index: number): Promise<unknown>;
  /** Does the work once; `index` counts up, so that not every call asks for the same row. */
  run(index: number): Promise<unknown>;
}

export interface Workload {
  readonly name: string;
  readonly variants: readonly [Variant, ...Variant[]];
  /** Calls of each round relative to the usual number, for work that takes long. Default 1. */
  readonly share?: number;
}

export interface Measured {
  readonly workload: string;
  readonly variant: string;
  /** Of one call, in microseconds: the median of all calls of all rounds, and the 99th percentile. */
  readonly median: number;
  readonly p99: number;
  /** Throughput against the floor in the same run; 1 is the floor's own, more is faster. */
  readonly ratio: number;
  readonly calls: number;
}

export interface Rounds {
  readonly rounds: number;
  readonly callsPerRound: number;
}

/**
 * Runs the variants of one workload in turns (A B C A B C …), so that whatever else the machine does falls on all of
 * them alike. The first round warms up and is not counted.
 */
export async function measure(workload: Workload, { rounds, callsPerRound }: Rounds): Promise<Measured[]> {
  const times = new Map<Variant, number[]>(workload.variants.map((variant) => [variant, []]));
  const perRound = Math.max(2, Math.round(callsPerRound * (workload.share ?? 1)));
  for (let round = 0; round <= rounds; round += 1) {
    for (const [variant, collected] of times) {
      for (let call = 0; call < perRound; call += 1) {
        const index = round * perRound + call;
        await variant.prepare?.(index);
        const start = performance.now();
        await variant.run(index);
        if (round > 0) collected.push((performance.now() - start) * 1000);
      }
    }
  }
  const medians = [...times].map(([variant, collected]) => ({ variant, ...percentiles(collected) }));
  const floor = medians[0]?.median ?? Number.NaN;
  return medians.map(({ variant, median, p99, calls }) => ({
    workload: workload.name,
    variant: variant.name,
    median,
    p99,
    ratio: floor / median,
    calls,
  }));
}

function percentiles(times: readonly number[]): { median: number; p99: number; calls: number } {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return { median: at(0.5), p99: at(0.99), calls: sorted.length };
}
