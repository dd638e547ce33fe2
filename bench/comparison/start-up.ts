import { type Interval, medianOf } from '../statistics.ts';
import type { Connections } from './library.ts';
import type { LibraryFile } from './libraries.ts';
import { Member } from './member.ts';

/** What it takes until a program may ask its first question: from the first import until the answer to one. */
export interface StartUp {
  readonly library: string;
  readonly ms: Interval;
  readonly cpuMs: Interval;
  /** Memory beyond that of Node itself, in bytes. */
  readonly rss: Interval;
}

/** Starts each library anew in each round, in turns; where one round is enough, nothing is compared. */
export async function measureStartUp(
  libraries: readonly LibraryFile[],
  rounds: number,
  connections: Connections,
): Promise<StartUp[]> {
  const seen = new Map<string, Member['ready'][]>(libraries.map(({ name }) => [name, []]));
  for (let round = rounds > 1 ? 0 : 1; round <= rounds; round += 1) {
    for (const library of round % 2 === 0 ? libraries : libraries.toReversed()) {
      const member = await Member.start(library, connections);
      await member.stop();
      // The first one reads the files from the disk.
      if (round > 0) seen.get(library.name)?.push(member.ready);
    }
  }
  return [...seen].map(([library, starts]) => ({
    library,
    ms: medianOf(starts.map((start) => start.ms)),
    cpuMs: medianOf(starts.map((start) => start.cpuMs)),
    rss: medianOf(starts.map((start) => start.rss - start.rssBefore)),
  }));
}
