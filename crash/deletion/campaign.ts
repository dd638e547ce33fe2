import type { Random } from '../random.ts';
import { FAULTS, InterruptedProgram } from './interrupted-program.ts';
import { type House, kindOf, STEPS } from './operations.ts';
import { picturesOf } from './pictures.ts';
import { plantSql } from './trees.ts';

/** What became of the operations that were under way when their program was interrupted. */
export interface Totals {
  /** Trials whose program was interrupted before its end. */
  interrupted: number;
  whole: number;
  nothing: number;
  /** Trees that are neither as before an operation nor as behind it, or behind one that has not begun. */
  half: number;
  /** Trees that the next run did not bring to their end. */
  stuck: number;
}

export interface Campaign {
  readonly house: House;
  readonly url: string;
  readonly trials: number;
  readonly random: Random;
  /** Whether the programs work by statements that each stand alone. */
  readonly byHand: boolean;
  tick(done: number): void;
}

const TREES = 12;
const EVERY_TREE = Array.from({ length: TREES }, (_, index) => index + 1);

/** By kind of tree, what one looks like before the first operation and behind each one. */
type Stages = readonly (readonly string[])[];

/** Interrupts programs that delete and restore, looks at every tree, and goes on from where it is. */
export async function runCampaign(campaign: Campaign): Promise<Totals> {
  const { house, url, trials, random, byHand, tick } = campaign;
  const stages = await undisturbed(house);
  const totals: Totals = { interrupted: 0, whole: 0, nothing: 0, half: 0, stuck: 0 };
  let next = InterruptedProgram.start(url, byHand);
  for (let trial = 0; trial < trials; trial += 1) {
    const program = await next;
    if (trial + 1 < trials) next = InterruptedProgram.start(url, byHand);
    await house.rows(plantSql(TREES));
    const fault = FAULTS[trial % FAULTS.length] as (typeof FAULTS)[number];
    if (await program.interrupt(house, fault, { trees: TREES }, random)) totals.interrupted += 1;
    const reached = await judge(campaign, program, stages, totals);
    totals.stuck += await goOn(house, reached, stages);
    tick(trial + 1);
  }
  return totals;
}

async function undisturbed(house: House): Promise<Stages> {
  await house.rows(plantSql(TREES));
  const after = [await picturesOf(house, TREES)];
  for (let step = 0; step < STEPS; step += 1) {
    for (const tree of EVERY_TREE) await house.run(tree, step);
    after.push(await picturesOf(house, TREES));
  }
  const stages: string[][] = [];
  for (const tree of EVERY_TREE) {
    const own = after.map((pictures) => pictures[tree] ?? '');
    const known = (stages[kindOf(tree)] ??= own);
    if (known.join() !== own.join() || new Set(own).size !== own.length)
      throw new Error('The pictures of trees do not tell what was done to them; correct pictures.ts.');
  }
  return stages;
}

/** Counts what was under way; answers how far each tree is, without those that are somewhere between. */
async function judge(
  { house, byHand }: Campaign,
  program: InterruptedProgram,
  stages: Stages,
  totals: Totals,
): Promise<Map<number, number>> {
  const pictures = await picturesOf(house, TREES);
  const progress = program.progress();
  const reached = new Map<number, number>();
  for (const tree of EVERY_TREE) {
    const { begun, done } = progress.get(tree) ?? { begun: 0, done: 0 };
    const stage = stages[kindOf(tree)]?.indexOf(pictures[tree] ?? '') ?? -1;
    // What it has said of an end may be lost with it, and so may the end of what it has said.
    if (stage < done || stage > begun) {
      totals.half += 1;
      if (!byHand) process.stderr.write(`tree ${tree}, ${begun} begun, ${done} done:\n${pictures[tree]}\n`);
    } else if (begun > done) totals[stage > done ? 'whole' : 'nothing'] += 1;
    if (stage >= 0) reached.set(tree, stage);
  }
  return reached;
}

/** Does what is left to do; answers how many trees did not come to their end. */
async function goOn(house: House, reached: ReadonlyMap<number, number>, stages: Stages): Promise<number> {
  const failed = new Set<number>();
  for (const [tree, stage] of reached) {
    for (let step = stage; step < STEPS && !failed.has(tree); step += 1) {
      await house.run(tree, step).catch((error: unknown) => {
        failed.add(tree);
        process.stderr.write(`tree ${tree}, step ${step}: ${String(error)}\n`);
      });
    }
  }
  const pictures = await picturesOf(house, TREES);
  return [...reached.keys()].filter(
    (tree) => failed.has(tree) || pictures[tree] !== stages[kindOf(tree)]?.[STEPS],
  ).length;
}
