import Table from 'cli-table3';
import type { TestServer } from '../../src/kit/testing/index.ts';
import { withContest } from './comparison.ts';
import { sizeOf } from './fill.ts';
import { chosenLibraries } from './libraries.ts';
import type { Sample } from './profile.ts';
import { rowsOf } from './comparison.ts';

/** Functions that a table names. */
const NAMED = 5;

/** Where a library's processor time goes in a workload. */
export interface Profiled {
  readonly workload: string;
  readonly library: string;
  /** Of its process, in microseconds per call. */
  readonly cpu: number;
  /** Per call and connection, from sending to the answer, waiting included. */
  readonly wall: number;
  readonly areas: Readonly<Record<string, number>>;
  readonly functions: readonly Sample[];
}

/** Profiles the ways of Tombstone, or of the named libraries, after a time to warm up. */
export async function profile(
  server: TestServer,
  libraries: readonly string[],
  isAsked: (name: string) => boolean,
): Promise<Profiled[]> {
  const names = libraries.length > 0 ? libraries : ['tombstone', 'tombstone-orm'];
  const chosen = chosenLibraries(names, true).filter(({ name }) => names.includes(name));
  return withContest(server, chosen, sizeOf(1), async (contest) => {
    const found: Profiled[] = [];
    for (const row of rowsOf({ callers: [], isAsked }))
      for (const { library, turn, samples } of await contest.profile(row))
        found.push({
          workload: row.name,
          library,
          cpu: turn.cpu,
          wall: turn.throughout,
          areas: areasOf(samples),
          functions: samples.slice(0, NAMED),
        });
    return found;
  });
}

function areasOf(samples: readonly Sample[]): Record<string, number> {
  const areas = new Map<string, number>();
  for (const { area, share } of samples) areas.set(area, (areas.get(area) ?? 0) + share);
  return Object.fromEntries([...areas].toSorted(([, one], [, other]) => other - one));
}

const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;

/** One row for each library and workload: areas by their part, and the functions that most time is spent in. */
export function profileTable(profiles: readonly Profiled[]): string {
  const table = new Table({
    head: ['workload', 'library', 'µs', 'processor µs', 'areas', 'functions'],
    style: { head: [], border: [] },
  });
  for (const { workload, library, wall, cpu, areas, functions } of profiles) {
    const named = functions.map(({ place, share }) => `${percent(share)} ${place}`);
    const parts = Object.entries(areas).map(([area, share]) => `${percent(share)} ${area}`);
    table.push([workload, library, wall.toFixed(0), cpu.toFixed(0), parts.join('\n'), named.join('\n')]);
  }
  return table.toString();
}
