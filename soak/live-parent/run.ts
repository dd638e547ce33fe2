import { setTimeout as sleep } from 'node:timers/promises';
import { createTestDatabase, type TestServer } from 'tombstone/testing';
import { operate } from './operations.ts';
import { type Form, openWorld, type World } from './world.ts';

export interface SoakOptions {
  readonly seconds: number;
  readonly workers: number;
  readonly form: Form;
}

export interface SoakReport {
  readonly operations: number;
  readonly violations: number;
  readonly violationsWithoutGuarantee: number;
  readonly operationsWithoutGuarantee: number;
  /** How often the committed state was looked at, with the guarantee. */
  readonly snapshots: number;
  /** Errors that no program should meet. */
  readonly unexpected: readonly string[];
}

type Show = (stage: string, share: number) => void;

// One statement sees one committed state.
const ORPHANS = `select s.id from ships s join harbours h on h.id = s.harbour_id
  where s.deleted_at is null and h.deleted_at is not null`;

/** The same work with the guarantee and without it. */
export async function soak(server: TestServer, options: SoakOptions, show: Show): Promise<SoakReport> {
  const kept = await inDatabase(server, options, options.form, (share) =>
    show('with the guarantee', share / 2),
  );
  const control = await inDatabase(server, options, undefined, (share) =>
    show('without it', 0.5 + share / 2),
  );
  return {
    operations: kept.operations,
    violations: kept.orphans.size,
    violationsWithoutGuarantee: control.orphans.size,
    operationsWithoutGuarantee: control.operations,
    snapshots: kept.snapshots,
    unexpected: [...new Set([...kept.unexpected, ...control.unexpected])],
  };
}

interface Sums {
  operations: number;
  snapshots: number;
  readonly orphans: Set<string>;
  readonly unexpected: string[];
}

async function inDatabase(
  server: TestServer,
  { seconds, workers }: SoakOptions,
  form: Form | undefined,
  tell: (share: number) => void,
): Promise<Sums> {
  const database = await createTestDatabase(server);
  try {
    const world = await openWorld(database.url, form, workers);
    const sums: Sums = { operations: 0, snapshots: 0, orphans: new Set(), unexpected: [] };
    const [start, end] = [Date.now(), Date.now() + 1000 * seconds];
    let isOver = false;
    const watcher = watch(world, sums, () => {
      tell(Math.min(1, (Date.now() - start) / (end - start)));
      return isOver;
    });
    await Promise.all(Array.from({ length: workers }, () => work(world, sums, end)));
    isOver = true;
    await watcher;
    await world.close();
    return sums;
  } finally {
    await database.drop();
  }
}

async function work({ orm }: World, sums: Sums, end: number): Promise<void> {
  while (Date.now() < end) {
    const unexpected = await operate(orm.em.fork());
    sums.operations += 1;
    if (unexpected !== undefined) sums.unexpected.push(unexpected);
  }
}

/** Looks all along, and once more when the workers are through. */
async function watch({ client }: World, sums: Sums, isOver: () => boolean): Promise<void> {
  for (let isLast = false; ;) {
    const { rows } = await client.query<{ id: string }>(ORPHANS);
    for (const { id } of rows) sums.orphans.add(id);
    sums.snapshots += 1;
    if (isLast) return;
    isLast = isOver();
    await sleep(10);
  }
}
