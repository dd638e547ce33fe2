import type { TestServer } from '../../src/kit/testing/index.ts';
import { type Contest, planOf, rowsOf, withContest } from './comparison.ts';
import { medianOf } from '../statistics.ts';
import { sizeOf } from './fill.ts';
import { findSlower, type RecordedRatios, type Slower } from './guard.ts';
import { chosenLibraries } from './libraries.ts';
import { isDeletion } from './trees/deletions.ts';

/** A tenth of the rows: the guard compares with itself only, and most of its time would be spent on filling. */
const SCALE = 0.1;
const ROUNDS = 7;
/** Short: what is compared was recorded with the same. */
const WARM_UP = 300;

export interface GuardResult {
  readonly slower: readonly Slower[];
  /** Of the first try. */
  readonly ratios: RecordedRatios;
}

/** Measures the recorded workloads with the libraries of this repository; `isAsked` leaves out others. */
export async function runGuard(
  server: TestServer,
  recorded: RecordedRatios,
  isAsked: (name: string) => boolean,
): Promise<GuardResult> {
  const chosen = Object.fromEntries(Object.entries(recorded).filter(([name]) => isAsked(name)));
  return withContest(server, chosenLibraries([], false), sizeOf(SCALE), async (contest) => {
    const tries: RecordedRatios[] = [];
    const slower = await findSlower(chosen, async (workloads) => {
      const measured = await ratiosOf(contest, (name) => workloads.includes(name));
      tries.push(measured);
      return measured;
    });
    return { slower, ratios: tries[0] ?? {} };
  });
}

/** What there is to record now of the workloads that are asked for: the median of three measurements. */
export async function ratiosToRecord(
  server: TestServer,
  isAsked: (name: string) => boolean,
): Promise<RecordedRatios> {
  return withContest(server, chosenLibraries([], false), sizeOf(SCALE), async (contest) => {
    const tries: RecordedRatios[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) tries.push(await ratiosOf(contest, isAsked));
    return Object.fromEntries(
      Object.entries(tries[0] ?? {}).map(([workload, libraries]) => [
        workload,
        Object.fromEntries(
          Object.keys(libraries).map((library) => {
            const ratios = tries.map((one) => one[workload]?.[library] ?? Number.NaN);
            return [library, medianOf(ratios).median];
          }),
        ),
      ]),
    );
  });
}

/** Of the recommended ways, and not of the floor, which is always 1. */
async function ratiosOf(contest: Contest, isAsked: (name: string) => boolean): Promise<RecordedRatios> {
  const rows = rowsOf({ callers: [], isAsked });
  await contest.verify(rows);
  const ratios: Record<string, Record<string, number>> = {};
  for (const row of rows)
    for (const { workload, variant, ratio } of await contest.run(row, {
      ...planOf(row, { quick: false, rounds: ROUNDS }),
      warmUp: isDeletion(row.workload) ? 0 : WARM_UP,
    }))
      if (!/^pg\b|\[/.test(variant)) (ratios[workload] ??= {})[variant] = Number(ratio.median.toFixed(3));
  return ratios;
}
