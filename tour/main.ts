import { MikroORM } from '@mikro-orm/postgresql';
import { defineDataConfig } from '../src/index.ts';
import { gateway, verifyAllowedGroups } from '../src/gateway/index.ts';
import { readArguments, USAGE } from './arguments.ts';
import { onInterruption } from './ending.ts';
import { migrate, PHASE_ONE, PHASE_ZERO } from './migrate.ts';
import { fillPhaseZero } from './phase-zero.ts';
import { count, heading, line, milliseconds, table } from './print.ts';
import { openServer, type TourServer } from './server.ts';
import { showSoftDelete } from './soft-delete.ts';
import { showTrash } from './trash.ts';

async function tour(url: string): Promise<void> {
  heading('1. A gateway database as it was in phase 0');
  await migrate(url, PHASE_ZERO);
  const data = await fillPhaseZero(url);
  line(
    `  ${count(data.users)} users (${count(data.deadUsers)} deleted), ${count(data.groups)} groups ` +
      `(${count(data.deadGroups)} deleted), ${count(data.apiKeys)} API keys`,
  );

  heading('2. The migrations since, on the data as it is');
  await migrate(url, PHASE_ONE);
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  try {
    const proof = await verifyAllowedGroups(orm.em.fork());
    table(
      ['pairs expected', 'pairs written', 'orphans recorded', 'in the array only', 'in the table only'],
      [
        [proof.pairsExpected, proof.pairsWritten, proof.orphansRecorded, proof.missing, proof.unexpected].map(
          count,
        ),
      ],
    );
    if (proof.missing + proof.unexpected > 0)
      throw new Error('The back-fill is not complete: see the table above.');
    await migrate(url);

    heading('3. What soft delete means');
    const steps = await showSoftDelete(orm.em.fork());
    table(
      ['what', 'answer', 'time'],
      steps.map((step) => [step.action, step.result, milliseconds(step.milliseconds)]),
    );
  } finally {
    await orm.close();
  }

  heading('4. What falls together comes back together');
  await showTrash(url);
}

async function main(): Promise<void> {
  const { keep, help } = readArguments(process.argv.slice(2));
  if (help) return line(USAGE);
  let opened: TourServer | undefined;
  onInterruption(async () => opened?.close());
  opened = await openServer(process.env['DATABASE_URL'], keep);
  try {
    await tour(opened.database.url);
  } catch (error) {
    await opened.close();
    throw error;
  }
  if (!keep) return opened.close();
  line(`\nThe database stays: ${opened.database.url}`);
  if (opened.server.supervisorPid) line(`Stop its server with: kill ${opened.server.supervisorPid}`);
}

await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
