import { createTestDatabase, type TestServer } from '../../src/kit/testing/index.ts';
import type { BenchArguments } from '../arguments.ts';
import { fillForComparison, type Size, sizeOf, unitOf } from './fill.ts';
import { type Ground, openGround } from './ground.ts';
import { installPeers } from './install-peers.ts';
import { chosenLibraries, type LibraryFile } from './libraries.ts';
import type { WorkloadName } from './library.ts';
import { Member } from './member.ts';
import { type Installed, installedOf } from './packages.ts';
import {
  type Compared,
  type Plan,
  type ProfiledTurn,
  profileRound,
  type Row,
  runRounds,
  waysOf,
} from './rounds.ts';
import { measureStartUp, type StartUp } from './start-up.ts';
import { isDeletion } from './trees/deletions.ts';
import { Verifier } from './verify-ways.ts';

/** Each library has a pool of this many connections, whatever the number of callers. */
const CONNECTIONS = 10;
const W9_CALLERS = 32;

/**
 * Calls of a caller in a round, fewer for work that takes long: some 30 ms. In turns of a few milliseconds a library would mostly be seen to
 * find its code and data in the processor's caches again, where the one before has been.
 */
const CALLS: { readonly [Name in WorkloadName]: number } = {
  W1: 100,
  W2: 25,
  W3: 25,
  W4: 80,
  W5: 2,
  W6: 80,
  W7: 8,
  W8: 80,
  cascade: 1,
  'cascade-small': 30,
  restore: 1,
  'restore-small': 30,
  purge: 1,
};

/** Work of many rows: the server does nearly all of it. */
const isLong = (workload: WorkloadName): boolean => isDeletion(workload) && !workload.endsWith('-small');

/** Of deletions less, because to plant what is to be deleted takes longer than to delete it. */
const warmUpOf = (workload: WorkloadName): number => {
  if (isLong(workload)) return 0;
  return isDeletion(workload) ? 300 : 2000;
};

/** What the comparison found; each part is empty where it was not asked for. */
export interface Comparison {
  readonly measured: readonly Compared[];
  readonly startUp: readonly StartUp[];
  readonly packages: readonly Installed[];
  /** Settings of the server that decide what a commit costs, and the pool of each library. */
  readonly settings: string;
}

type Options = Pick<BenchArguments, 'quick' | 'rounds' | 'libraries' | 'callers' | 'scale'> & {
  /** Whether a workload, `start-up` or `packages` is asked for. */
  readonly isAsked: (name: string) => boolean;
};

/** The rows that are asked for. */
export const rowsOf = ({ callers, isAsked }: Pick<Options, 'callers' | 'isAsked'>): Row[] => {
  const names = Object.keys(CALLS) as WorkloadName[];
  const rows: Row[] = [
    ...names.map((workload) => ({ name: workload, workload, callers: 1 })),
    { name: 'W9', workload: 'W1', callers: W9_CALLERS },
    ...callers.flatMap((count) =>
      names
        .filter((name) => !isLong(name))
        .map((workload) => ({ name: `${workload}-by-${count}`, workload, callers: count })),
    ),
  ];
  return rows.filter(({ name }) => isAsked(name));
};

/** Tombstone beside other libraries: the workloads, and what each takes to start and to install. */
export async function compare(server: TestServer, options: Options): Promise<Comparison> {
  const rows = rowsOf(options);
  const asked = {
    startUp: options.isAsked('start-up'),
    packages: options.isAsked('packages') && !options.quick,
  };
  if (rows.length === 0 && !asked.startUp && !asked.packages)
    return { measured: [], startUp: [], packages: [], settings: '' };
  const libraries = availableLibraries(options);
  const packages = asked.packages ? installedOf(libraries) : [];
  const database = await createTestDatabase(server);
  try {
    const size = sizeOf(options.scale * unitOf(options));
    await fillForComparison(database.url, size);
    const connections = { url: database.url, size: CONNECTIONS };
    const startUp = asked.startUp ? await measureStartUp(libraries, options.quick ? 1 : 5, connections) : [];
    const contest = await Contest.start(libraries, database.url, size);
    try {
      const measured: Compared[] = [];
      await contest.verify(rows);
      for (const row of rows) {
        const found = await contest.run(row, planOf(row, options));
        measured.push(...found);
        // A run takes minutes, and what an interrupted one has measured is not lost.
        say(`${row.name}: ${found.map((one) => `${one.variant} ${one.ratio.median.toFixed(2)}`).join(', ')}`);
      }
      return { measured, startUp, packages, settings: await contest.settings() };
    } finally {
      await contest.stop();
    }
  } finally {
    await database.drop();
  }
}

/** On stderr: what the bench is at. */
export const say = (line: string): void => void process.stderr.write(`${line}\n`);

/** Those that were asked for; peers only where they can be installed. */
export function availableLibraries({
  quick,
  libraries,
}: Pick<Options, 'quick' | 'libraries'>): LibraryFile[] {
  const chosen = chosenLibraries(libraries, !quick);
  if (!chosen.some(({ isPeer }) => isPeer) || installPeers(say)) return chosen;
  return chosen.filter(({ isPeer }) => !isPeer);
}

export const planOf = (
  { workload, callers }: Row,
  { quick, rounds }: Pick<Options, 'quick' | 'rounds'>,
): Plan => ({
  // Each round of a large deletion plants its rows for each library.
  rounds: quick ? (isLong(workload) ? 1 : 2) : rounds,
  warmUp: quick ? 0 : warmUpOf(workload),
  calls: callsOf(workload, callers, quick),
});

/** Several callers make as many calls together as are needed to keep them busy; the short form only shows that all of it works. */
function callsOf(workload: WorkloadName, callers: number, quick: boolean): number {
  const calls = quick ? Math.min(CALLS[workload], 5) : CALLS[workload];
  return callers > 1 ? Math.max(1, Math.round(calls / 4)) : calls;
}

/** Fills a database of its own for libraries, and ends both. */
export async function withContest<T>(
  server: TestServer,
  libraries: readonly LibraryFile[],
  size: Size,
  work: (contest: Contest) => Promise<T>,
): Promise<T> {
  const database = await createTestDatabase(server);
  try {
    await fillForComparison(database.url, size);
    const contest = await Contest.start(libraries, database.url, size);
    try {
      return await work(contest);
    } finally {
      await contest.stop();
    }
  } finally {
    await database.drop();
  }
}

/** The running libraries, and the database that they share. */
export class Contest {
  readonly #ground: Ground;
  readonly #members: readonly Member[];

  private constructor(ground: Ground, members: readonly Member[]) {
    this.#ground = ground;
    this.#members = members;
  }

  /** Leaves out, loudly, a peer that does not start. @throws Error when one of this repository does not. */
  static async start(libraries: readonly LibraryFile[], url: string, size: Size): Promise<Contest> {
    const ground = await openGround(url, size);
    const members: Member[] = [];
    try {
      for (const library of libraries) {
        const started = Member.start(library, { url, size: CONNECTIONS });
        const member = await (library.isPeer ? started.catch(leftOut) : started);
        if (member) members.push(member);
      }
      return new Contest(ground, members);
    } catch (error) {
      await stopAll(members, ground);
      throw error;
    }
  }

  /** @throws Error naming a library that does other work than the floor. */
  async verify(rows: readonly Row[]): Promise<void> {
    const verifier = new Verifier(this.#ground, this.#members[0] as Member);
    for (const workload of new Set(rows.map((row) => row.workload)))
      await verifier.verify(workload, waysOf(this.#members, workload));
  }

  run(row: Row, plan: Plan): Promise<Compared[]> {
    return runRounds(row, this.#members, plan, this.#ground);
  }

  /** Of long work three calls tell enough; of other work twenty turns. */
  profile(row: Row): Promise<ProfiledTurn[]> {
    const plan = planOf(row, { quick: false, rounds: isDeletion(row.workload) ? 3 : 20 });
    return profileRound(row, this.#members, plan, this.#ground);
  }

  async settings(): Promise<string> {
    const { rows } = await this.#ground.client.query<{ name: string; setting: string }>(
      `select name, reset_val as setting from pg_settings
       where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers') order by name`,
    );
    const server = rows.map(({ name, setting }) => `${name} ${setting}`).join(', ');
    return `${server}; ${CONNECTIONS} connections for each library; ${JSON.stringify(this.#ground.size)}`;
  }

  async stop(): Promise<void> {
    await stopAll(this.#members, this.#ground);
  }
}

function leftOut(error: unknown): undefined {
  say(`!!! LEFT OUT: ${error instanceof Error ? error.message : String(error)}`);
}

async function stopAll(members: readonly Member[], ground: Ground): Promise<void> {
  for (const member of members) await member.stop();
  await ground.close();
}
