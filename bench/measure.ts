import { type Interval, medianOf, percentile } from './statistics.ts';

/** One way to do a workload. The first variant of a workload is the floor that the others are compared with. */
export interface Variant {
  readonly name: string;
  /** Makes what the work needs, before each call; not timed. Its answer is handed to `run`. */
  prepare?(index: number): Promise<unknown>;
  /** Does the work once; `index` counts up, so that not every call asks for the same row. */
  run(index: number, prepared: unknown): Promise<unknown>;
}

export interface Workload {
  readonly name: string;
  readonly variants: readonly [Variant, ...Variant[]];
  /** Calls of each round relative to the usual number, for work that takes long. Default 1. */
  readonly share?: number;
  /** For work that writes: does it, and answers what it left in the database, which must be the same for all variants. */
  witness?(work: () => Promise<unknown>): Promise<unknown>;
  /** Callers at the same time, each of which starts its next call when the one before has ended. Default 1. */
  readonly callers?: number;
}

export interface Measured {
  readonly workload: string;
  readonly variant: string;
  /** Of one call, in microseconds: the median of all calls of all rounds, and the 99th percentile. */
  readonly median: number;
  readonly p99: number;
  /** Throughput against the floor in the same round; 1 is the floor's own, more is faster. */
  readonly ratio: Interval;
  /** The same of this process's processor time, which other work on the machine and the server have no part in. */
  readonly cpuRatio: Interval;
  readonly calls: number;
}

export interface Rounds {
  readonly rounds: number;
  readonly callsPerRound: number;
  /** How long each variant works before anything is counted, in milliseconds; default 0, which is one turn. */
  readonly warmUp?: number;
}

/** What one variant took in one round, in microseconds: each call, and all of them together per call. */
export interface Turn {
  readonly wall: number[];
  readonly throughout: number;
  readonly cpu: number;
}

/**
 * Runs the variants of one workload in turns (A B C, C B A, A B C …), so that whatever else the machine does falls on all
 * of them alike, and compares within each round. Before that each works for a while: code that has run seldom is interpreted.
 */
export async function measure(
  workload: Workload,
  { rounds, callsPerRound, warmUp = 0 }: Rounds,
): Promise<Measured[]> {
  const callers = workload.callers ?? 1;
  const perRound = callers * Math.max(2, Math.round(callsPerRound * (workload.share ?? 1)));
  const turns = new Map<Variant, Turn[]>(workload.variants.map((variant) => [variant, []]));
  for (const variant of workload.variants) {
    await warm(warmUp, (round) => takeTurn(variant, round * perRound, perRound, callers));
  }
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? workload.variants : workload.variants.toReversed();
    for (const variant of order) {
      turns.get(variant)?.push(await takeTurn(variant, round * perRound, perRound, callers));
    }
  }
  const floor = turns.get(workload.variants[0]) ?? [];
  return [...turns].map(([variant, own]) => ({
    workload: workload.name,
    variant: variant.name,
    ...compared(own, floor, callers),
  }));
}

/** Takes turns until they have taken so many milliseconds together. */
export async function warm(milliseconds: number, take: (round: number) => Promise<Turn>): Promise<void> {
  let spent = 0;
  for (let round = 0; spent <= milliseconds; round += 1) {
    const { throughout, wall } = await take(round);
    spent += (throughout * wall.length) / 1000;
  }
}

/** The turns of one variant next to those of the floor in the same rounds. */
export function compared(
  own: readonly Turn[],
  floor: readonly Turn[],
  callers: number,
): Omit<Measured, 'workload' | 'variant'> {
  const costOf = (turn: Turn | undefined): number =>
    callers > 1 ? (turn?.throughout ?? Number.NaN) : percentile(turn?.wall ?? [], 0.5);
  const wall = own.flatMap((turn) => turn.wall);
  return {
    median: percentile(wall, 0.5),
    p99: percentile(wall, 0.99),
    ratio: medianOf(own.map((turn, n) => costOf(floor[n]) / costOf(turn))),
    cpuRatio: medianOf(own.map((turn, n) => (floor[n]?.cpu ?? Number.NaN) / turn.cpu)),
    calls: wall.length,
  };
}

/** Calls a variant `calls` times, the indices from `first` on. */
export async function takeTurn(
  variant: Variant,
  first: number,
  calls: number,
  callers: number,
): Promise<Turn> {
  const wall: number[] = [];
  let cpu = 0;
  let next = first;
  const caller = async (): Promise<void> => {
    while (next < first + calls) {
      const index = (next += 1) - 1;
      const prepared = await variant.prepare?.(index);
      const before = process.cpuUsage();
      const start = performance.now();
      await variant.run(index, prepared);
      wall.push((performance.now() - start) * 1000);
      const { user, system } = process.cpuUsage(before);
      // Among several callers, one call's time is also that of the others.
      if (callers === 1) cpu += (user + system) / calls;
    }
  };
  const before = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  const throughout = ((performance.now() - start) * 1000) / calls;
  const { user, system } = process.cpuUsage(before);
  return { wall, throughout, cpu: callers === 1 ? cpu : (user + system) / calls };
}
