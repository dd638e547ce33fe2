import { compared, type Measured, type Turn, warm } from '../measure.ts';
import { medianOf, percentile } from '../statistics.ts';
import type { Ground } from './ground.ts';
import { inputsOf, removePlanted } from './inputs.ts';
import type { WorkloadName } from './library.ts';
import type { Member } from './member.ts';
import { isDeletion } from './trees/deletions.ts';
import type { Sample } from './profile.ts';

/** A way of a library, measured: {@link Measured} with what only a process of its own can tell. */
export interface Compared extends Measured {
  /** Of the library's process, in microseconds per call. */
  readonly cpu: number;
  /** Calls in a second of a turn, by all callers together. */
  readonly throughput: number;
  /** Of its memory at the end of a turn, in bytes. */
  readonly rss: number;
  readonly rounds: number;
  /** Throughput against the floor, round by round. */
  readonly ratios: readonly number[];
  /** The library has no feature for it; a program writes the statements for each of its relations. */
  readonly byHand: boolean;
}

/** A row of the tables: a workload by a number of callers. */
export interface Row {
  readonly name: string;
  readonly workload: WorkloadName;
  readonly callers: number;
}

export interface Plan {
  readonly rounds: number;
  /** Calls of one caller in a turn. */
  readonly calls: number;
  /** How long each way works before anything is counted, in milliseconds: code that has run seldom is interpreted. */
  readonly warmUp: number;
  /** Leaves out a library's other, quicker ways. */
  readonly recommended?: boolean;
}

interface Runner {
  readonly member: Member;
  readonly way: string;
  readonly turns: Turn[];
  readonly rss: number[];
}

/** All ways of all libraries to do a workload. */
export const waysOf = (
  members: readonly Member[],
  workload: WorkloadName,
): { member: Member; way: string }[] =>
  members.flatMap((member) => (member.ready.ways[workload] ?? []).map((way) => ({ member, way })));

/**
 * Lets the libraries do a workload in turns (A B C, C B A, A B C …), with the same inputs in each round, and compares within
 * each round, after a time to warm up. The first library is the floor.
 */
export async function runRounds(
  { name, workload, callers }: Row,
  members: readonly Member[],
  plan: Plan,
  ground: Ground,
): Promise<Compared[]> {
  const ways = waysOf(members, workload).filter(({ way }) => !plan.recommended || way === '');
  const runners: Runner[] = ways.map((one) => ({ ...one, turns: [], rss: [] }));
  const count = plan.calls * callers;
  const takeTurn = async ({ member, way }: Runner, round: number) => {
    const inputs = await inputsOf(workload, { first: round * count, count }, ground);
    return member.run({ workload, way, inputs, callers, show: false });
  };
  for (const runner of runners) {
    await warm(plan.warmUp, async (round) => (await takeTurn(runner, round)).turn);
  }
  for (let round = 0; round < plan.rounds; round += 1) {
    // A table that grew with each round would be another one at the end than at the start.
    if (round > 0 && isDeletion(workload)) await removePlanted(workload, ground);
    for (const runner of round % 2 === 0 ? runners : runners.toReversed()) {
      const { turn, rss } = await takeTurn(runner, round);
      runner.turns.push(turn);
      runner.rss.push(rss);
    }
  }
  await removePlanted(workload, ground);
  const floor = runners[0]?.turns ?? [];
  return runners.map((runner) => result({ name, workload, callers }, runner, floor));
}

/** What a library's processor time was spent on in a workload. */
export interface ProfiledTurn {
  readonly library: string;
  readonly turn: Turn;
  readonly samples: readonly Sample[];
}

/** Lets the recommended way of each library work for some time, and then under the profiler for `plan.rounds` turns as one. */
export async function profileRound(
  { workload, callers }: Row,
  members: readonly Member[],
  plan: Plan,
  ground: Ground,
): Promise<ProfiledTurn[]> {
  const count = plan.calls * callers;
  const found: ProfiledTurn[] = [];
  for (const { member, way } of waysOf(members, workload).filter((one) => one.way === '')) {
    const take = async (round: number, rounds: number, profile: boolean) => {
      const span = { first: round * count, count: count * rounds };
      const inputs = await inputsOf(workload, span, ground);
      return member.run({ workload, way, inputs, callers, show: false, profile });
    };
    await warm(plan.warmUp, async (round) => (await take(round, 1, false)).turn);
    const { turn, samples } = await take(0, plan.rounds, true);
    found.push({ library: member.name, turn, samples });
  }
  await removePlanted(workload, ground);
  return found;
}

function result(
  { name, workload, callers }: Row,
  { member, way, turns, rss }: Runner,
  floor: readonly Turn[],
): Compared {
  return {
    workload: name,
    variant: `${member.name}${way && ` [${way}]`}`,
    ...compared(turns, floor, callers),
    cpu: medianOf(turns.map((turn) => turn.cpu)).median,
    throughput: medianOf(turns.map((turn) => 1_000_000 / turn.throughout)).median,
    rss: percentile(rss, 0.5),
    rounds: turns.length,
    byHand: member.ready.byHand.includes(workload),
    ratios: turns.map((turn, n) => compared([turn], floor.slice(n, n + 1), callers).ratio.median),
  };
}
