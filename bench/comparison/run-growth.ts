import type { TestServer } from '../../src/kit/testing/index.ts';
import type { BenchArguments } from '../arguments.ts';
import { availableLibraries, say, withContest } from './comparison.ts';
import { growthPlan, planOfGrowth } from './growth-plan.ts';
import type { Compared } from './rounds.ts';

/** What a way of a library reached at one size: `workload` is its plain name. */
export interface Grown extends Compared {
  /** How many times as long the tables are. */
  readonly scale: number;
  readonly callers: number;
}

export interface Growth {
  readonly measured: readonly Grown[];
  /** The sizes that were asked for, ascending. */
  readonly scales: readonly number[];
  readonly callers: readonly number[];
  readonly leftOut: readonly string[];
  /** Of each database. */
  readonly settings: readonly string[];
}

/** Lets the libraries do the same work on longer tables, and by more callers. Each database is made once and dropped. */
export async function runGrowth(server: TestServer, options: BenchArguments): Promise<Growth> {
  const { steps, leftOut } = growthPlan(options);
  const libraries = availableLibraries(options);
  const measured: Grown[] = [];
  const settings: string[] = [];
  for (const { scale, size, rows } of steps) {
    if (rows.length === 0) continue;
    say(`Filling tables ${scale} times as long.`);
    await withContest(server, libraries, size, async (contest) => {
      await contest.verify(rows);
      for (const row of rows) {
        const found = await contest.run(row, planOfGrowth(row, options));
        const { workload, callers } = row;
        measured.push(...found.map((one) => ({ ...one, workload, scale, callers })));
        say(
          `${row.name} x${scale}: ${found.map((one) => `${one.variant} ${one.ratio.median.toFixed(2)}`).join(', ')}`,
        );
      }
      settings.push(await contest.settings());
    });
  }
  return { measured, scales: options.scales, callers: options.callers, leftOut, settings };
}
