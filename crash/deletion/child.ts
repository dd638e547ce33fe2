import { createInterface } from 'node:readline';
import { runByHand } from './by-hand.ts';
import { openHouse, STEPS } from './operations.ts';

/** What the program is to do: take `trees` trees through all their operations, several at a time. */
export interface Task {
  readonly trees: number;
}

const LANES = 3;

// The program that is killed. It connects first and waits for its task on a line, so that no trial waits for it to start; it says
// which operation begins and which has ended well, and stops at the first that has not.
const house = await openHouse(process.env['DATABASE_URL'] ?? '', LANES);
const run =
  process.argv[2] === 'by-hand' ? (tree: number, step: number) => runByHand(house, tree, step) : house.run;
process.stdout.write('ready\n');
createInterface({ input: process.stdin }).once('line', (line) => {
  const { trees } = JSON.parse(line) as Task;
  let next = 1;
  const lane = async (): Promise<void> => {
    while (next <= trees) await takeThrough(next++);
  };
  void Promise.allSettled(Array.from({ length: LANES }, lane)).then((lanes) =>
    process.exit(lanes.every(({ status }) => status === 'fulfilled') ? 0 : 1),
  );
});

async function takeThrough(tree: number): Promise<void> {
  for (let step = 0; step < STEPS; step += 1) {
    process.stdout.write(`${tree} begun\n`);
    await run(tree, step);
    process.stdout.write(`${tree} done\n`);
  }
}
