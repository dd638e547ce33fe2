import { createInterface } from 'node:readline';
import { type Form, openGateway } from './gateway.ts';
import { type Task, usagesOf } from './task.ts';

// The program that is killed. It connects first and waits for its task on a line, so that no trial waits for it to start;
// then it records each request, two at a time and the last ones as a batch, and says when a single one is done.
const { record, recordBatch } = await openGateway(
  process.env['DATABASE_URL'] ?? '',
  2,
  process.argv[2] as Form,
);
process.stdout.write('ready\n');
createInterface({ input: process.stdin }).once('line', (line) => {
  const usages = usagesOf(JSON.parse(line) as Task);
  void run(usages).then(
    () => process.exit(0),
    () => process.exit(1),
  );
});

async function run(usages: ReturnType<typeof usagesOf>): Promise<void> {
  const half = usages.length / 2;
  const one = async (usage: (typeof usages)[number]): Promise<void> => {
    await record(usage);
    process.stdout.write('done\n');
  };
  for (let index = 0; index < half; index += 2) await Promise.all(usages.slice(index, index + 2).map(one));
  await recordBatch(usages.slice(half));
}
