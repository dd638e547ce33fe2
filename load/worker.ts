import { MikroORM } from '@mikro-orm/core';
import { defineDataConfig } from 'tombstone';
import { gateway } from 'tombstone/gateway';
import { Random } from '../crash/random.ts';
import { aggregate } from './background/aggregation.ts';
import { watchDashboard } from './background/dashboard.ts';
import { presentDeletedKeys } from './background/deleted-keys.ts';
import { OutboxReader } from './background/outbox-reader.ts';
import { recordSharedRequests } from './background/shared-requests.ts';
import { call, type Ground } from './caller.ts';
import { now } from './clock.ts';
import type { Assignment, Order, Results, Span, Word } from './messages.ts';
import { Meter } from './meter.ts';
import { OPERATIONS } from './operations/index.ts';
import { Sightings } from './sightings.ts';
import { Answers } from './told.ts';
import { readWorld, type World } from './world.ts';

// A process of callers: the database in the environment, the assignment as its argument, orders and answers as messages.
const { index, callers, connections, seed } = JSON.parse(process.argv[2] ?? '') as Assignment;
// Nobody is left to tell when the one that ordered it was killed.
process.once('disconnect', () => process.exit(1));
if (!process.connected) process.exit(1);
const pool = { min: 0, max: connections };
const orm = await MikroORM.init(
  defineDataConfig({ clientUrl: process.env['DATABASE_URL'] ?? '', modules: [gateway], pool }),
);
const em = (): typeof orm.em => orm.em.fork();
const world = await readWorld(em());
const say = (word: Word): unknown => process.send?.(word);

/** Until `begin` nothing is counted. */
let ground = groundOf(world, Number.POSITIVE_INFINITY);
let reader = new OutboxReader(ground, index);
await reader.register();

process.on('message', (order: Order) => {
  // A process that can go on no more ends, and whoever ordered it notices.
  void obey(order).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
});
say({ type: 'ready' });

async function obey(order: Order): Promise<void> {
  if (order.type === 'begin') say({ type: 'stopped', results: await run(order.span) });
  else if (order.type === 'drain') say({ type: 'drained', heard: await reader.drain() });
  else {
    await orm.close();
    process.exit(0);
  }
}

function groundOf(known: World, from: number): Ground {
  return { em, world: known, meter: new Meter(from), sightings: new Sightings(), answers: new Answers() };
}

async function run({ from, until, aggregateEveryMs }: Span): Promise<Results> {
  ground = groundOf(world, from);
  reader = new OutboxReader(ground, index);
  const all = Array.from({ length: callers }, (_, number) => {
    const random = new Random(seed + 1000 * index + number);
    return call({ ...ground, random }, OPERATIONS, until);
  });
  const background = [
    reader.run(until),
    aggregate(ground, aggregateEveryMs, until),
    recordSharedRequests(ground, seed, until),
    presentDeletedKeys({ ...ground, random: new Random(seed + 1000 * index + callers) }, until),
    watchDashboard({ ...ground, random: new Random(seed + 1000 * index + callers + 1) }, until),
  ];
  await Promise.all([...all, ...background]);
  const { meter, answers, sightings } = ground;
  return {
    measured: meter.measured(),
    messages: meter.messages(),
    told: answers.told(),
    seen: sightings.seen(),
    ended: now(),
  };
}
