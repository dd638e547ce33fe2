import type { BenchArguments } from '../arguments.ts';
import { planOf } from './comparison.ts';
import { type Size, sizeOf, unitOf } from './fill.ts';
import type { WorkloadName } from './library.ts';
import type { Plan, Row } from './rounds.ts';

/** What grows: the rest has tables that are filled anew in each round, or is one of these by more callers. */
const GROWING = ['W1', 'W2', 'W3', 'W4', 'W5', 'W6', 'W7', 'W8'] as const satisfies readonly WorkloadName[];

type Growing = (typeof GROWING)[number];
type Options = Pick<BenchArguments, 'quick' | 'rounds' | 'only' | 'scales' | 'callers'>;

/** The workloads that run on tables of one length. */
export interface Step {
  readonly scale: number;
  readonly size: Size;
  readonly rows: readonly Row[];
}

export interface GrowthPlan {
  readonly steps: readonly Step[];
  /** A sentence for each reason. */
  readonly leftOut: readonly string[];
}

/** A reason not to run a workload at some sizes; it counts for those that were not asked for by name. */
interface Reason {
  readonly workloads: readonly Growing[];
  holds(scale: number, callers: number): boolean;
  readonly sentence: string;
}

const REASONS: readonly Reason[] = [
  {
    workloads: ['W4', 'W5'],
    holds: (scale) => scale > 10,
    sentence:
      'W4 and W5 on tables more than ten times as long: to make their usage logs takes longer than all else. --only W4,W5 makes them.',
  },
  {
    workloads: ['W5', 'W7'],
    holds: (_scale, callers) => callers > 1,
    sentence: 'W5 and W7 by several callers: each call is hundreds of rows already. --only W5,W7 runs them.',
  },
];

const NEVER =
  'Deletions by the length of tables: theirs are filled anew in each round. W9: it is W1 by 32 callers.';

/** All sizes by one caller, and the shortest tables by each number of callers. @throws TypeError naming a workload that does not grow. */
export function growthPlan(options: Options): GrowthPlan {
  const { only, scales, callers } = options;
  const unknown = only.find((name) => !(GROWING as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw new TypeError(`${unknown} has no table of growth. Choose from ${GROWING.join(', ')}.`);
  const used = new Set<Reason>();
  const steps = scales.map((scale, n) => {
    const counts = n === 0 ? [...new Set([1, ...callers])] : [1];
    const rows = GROWING.filter((name) => only.length === 0 || only.includes(name)).flatMap((workload) =>
      counts
        .filter((count) => {
          const reason = only.length === 0 ? reasonAgainst(workload, scale, count) : undefined;
          if (reason) used.add(reason);
          return !reason;
        })
        .map((count) => ({ name: nameOf(workload, count), workload, callers: count })),
    );
    return { scale, rows, size: sizeFor(scale * unitOf(options), rows) };
  });
  return { steps, leftOut: [...[...used].map(({ sentence }) => sentence), NEVER] };
}

const nameOf = (workload: string, callers: number): string =>
  callers === 1 ? workload : `${workload}-by-${callers}`;

const reasonAgainst = (workload: Growing, scale: number, callers: number): Reason | undefined =>
  REASONS.find((reason) => reason.workloads.includes(workload) && reason.holds(scale, callers));

/** Tables that no workload touches stay short. */
function sizeFor(scale: number, rows: readonly Row[]): Size {
  const size = sizeOf(scale);
  const hasLogs = rows.some(({ workload }) => workload === 'W4' || workload === 'W5');
  const short = sizeOf(Math.min(1, scale));
  return { ...size, times: short.times, usageLogs: hasLogs ? size.usageLogs : short.usageLogs };
}

/** Shorter than where one size is all: each library works for so long in every row, and there are dozens of them. */
const WARM_UP = 500;
/** Calls of a turn, by all callers together; more of them would only wait for each other. */
const MOST_CALLS = 256;

export function planOfGrowth(row: Row, options: Options): Plan {
  const { calls } = planOf(row, options);
  return {
    rounds: options.rounds,
    warmUp: options.quick ? 0 : WARM_UP,
    calls: Math.max(1, Math.min(calls, Math.floor(MOST_CALLS / row.callers))),
    recommended: true,
  };
}
