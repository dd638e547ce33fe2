import { createTestDatabase, type TestServer } from '../../src/kit/testing/index.ts';
import { Contest, planOf, rowsOf } from './comparison.ts';
import { fillForComparison, sizeOf } from './fill.ts';
import { findSlower, type RecordedRatios, type Slower } from './guard.ts';
import { chosenLibraries } from './libraries.ts';

/** A tenth of the rows: the guard compares with itself only, and most of its time would be spent on filling. */
const SCALE = 0.1;
const ROUNDS = 7;

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
  const size = sizeOf(SCALE);
  const database = await createTestDatabase(server);
  try {
    await fillForComparison(database.url, size);
    const contest = await Contest.start(chosenLibraries([], false), database.url, size);
    try {
      let ratios: RecordedRatios | undefined;
      const measure = async (workloads: readonly string[]): Promise<RecordedRatios> => {
        const measured = await ratiosOf(contest, workloads);
        ratios ??= measured;
        return measured;
      };
      return { slower: await findSlower(chosen, measure), ratios: ratios ?? {} };
    } finally {
      await contest.stop();
    }
  } finally {
    await database.drop();
  }
}

async function ratiosOf(contest: Contest, workloads: readonly string[]): Promise<RecordedRatios> {
  const rows = rowsOf({ callers: [], isAsked: (name) => workloads.includes(name) });
  await contest.verify(rows);
  const ratios: Record<string, Record<string, number>> = {};
  for (const row of rows)
    for (const { workload, variant, ratio } of await contest.run(
      row,
      planOf(row, { quick: false, rounds: ROUNDS }),
    ))
      (ratios[workload] ??= {})[variant] = Number(ratio.median.toFixed(3));
  return ratios;
}
