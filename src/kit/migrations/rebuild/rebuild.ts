import { describeSchema, type SchemaDescription } from '../drift/description.ts';
import { differenceOf, keyOf, type SchemaDifference } from '../drift/difference.ts';
import { lastTouched } from '../drift/last-touched.ts';
import { MigrationFailedError } from '../errors.ts';
import { loadMigrations, type MigrationFile, type MigrationSource } from '../files.ts';
import { readLedger } from '../ledger.ts';
import { Session } from '../session.ts';
import type { Variables } from '../substitute.ts';
import { inArrivalOrder } from './arrival-order.ts';
import { refuseSameClock } from './clock.ts';
import type { Connection } from './connection.ts';
import { withReplay } from './replay.ts';
import { withScratch } from './scratch.ts';

export interface RebuildOptions {
  /** A server for scratch databases; its ledger, if it has one, gives the order in which files came. It is only read. */
  readonly connection: Connection;
  readonly modules: readonly MigrationSource[];
  readonly variables?: Variables | undefined;
  /** An empty database, for a role that may not create one; it is emptied again. */
  readonly scratch?: Connection | undefined;
  /** Ends the rebuild, and drops its database. */
  readonly signal?: AbortSignal | undefined;
  /** A server of the same major version whose clock shows another day. */
  readonly clock?: Connection | undefined;
}

/** One way of running the same files, compared with file order, UTC and this server's clock. */
export interface RebuildVariant {
  readonly name:
    'file order' | 'arrival order' | 'reverse module order' | 'another time zone' | 'another clock';
  /** `untested`: this way cannot be gone here, and `sentence` says why. */
  readonly outcome: 'equal' | 'differs' | 'fails' | 'untested';
  /** The first file that failed, or that made something else. */
  readonly file?: string | undefined;
  readonly differences: readonly SchemaDifference[];
  readonly sentence: string;
}

/** Fourteen hours from UTC: for most of a day it is another day there. */
const FAR_ZONE = 'Pacific/Kiritimati';

interface Way {
  readonly name: RebuildVariant['name'];
  readonly files: readonly MigrationFile[];
  readonly timeZone?: string;
  readonly connection?: Connection | undefined;
  /** What a failure means where the order is not promised to work. */
  readonly mayFail?: boolean;
}

/**
 * Builds the schema from nothing in several ways that must not matter, and compares. Rows that the files write are not compared.
 *
 * @throws MigrationError `MIGRATION.SCRATCH`.
 */
export async function rebuild(options: RebuildOptions): Promise<RebuildVariant[]> {
  const files = await loadMigrations(options.modules);
  const plain: Way = { name: 'file order', files };
  const base = await build(options, plain);
  if (base instanceof MigrationFailedError) return [failed(plain, base)];
  const variants: RebuildVariant[] = [done(plain, 'It can be built from nothing.')];
  for (const way of await waysFor(options, files))
    variants.push('outcome' in way ? way : await compare(options, plain, base, way));
  return variants;
}

async function waysFor(
  options: RebuildOptions,
  files: readonly MigrationFile[],
): Promise<(Way | RebuildVariant)[]> {
  return [
    await otherOrder(options, files),
    { name: 'another time zone', files, timeZone: FAR_ZONE },
    await otherClock(options, files),
  ];
}

async function otherOrder(
  { connection, modules }: RebuildOptions,
  files: readonly MigrationFile[],
): Promise<Way | RebuildVariant> {
  const arrived = await arrival(connection, files);
  const pending = files.filter((file) => !arrived.includes(file));
  const order = [...arrived, ...pending];
  if (order.some((file, index) => file !== files[index])) return { name: 'arrival order', files: order };
  const reverse = modules.toReversed().flatMap(({ name }) => files.filter((file) => file.module === name));
  if (modules.length > 1) return { name: 'reverse module order', files: reverse, mayFail: true };
  return untested('arrival order', 'There is one module, and its files came in file order.');
}

async function arrival(connection: Connection, files: readonly MigrationFile[]): Promise<MigrationFile[]> {
  const session = await Session.open(connection);
  try {
    await session.reset();
    return inArrivalOrder(files, await readLedger(session));
  } catch (error) {
    throw session.explain(error);
  } finally {
    await session.close();
  }
}

async function otherClock(
  { connection, clock }: RebuildOptions,
  files: readonly MigrationFile[],
): Promise<Way | RebuildVariant> {
  if (clock === undefined)
    return untested(
      'another clock',
      'No server with another clock was named, so one clock was used for all.',
    );
  await refuseSameClock(connection, clock);
  return { name: 'another clock', files, connection: clock };
}

async function compare(
  options: RebuildOptions,
  plain: Way,
  base: SchemaDescription,
  way: Way,
): Promise<RebuildVariant> {
  const built = await build(options, way);
  if (built instanceof MigrationFailedError) return failed(way, built);
  const differences = differenceOf(base, built);
  if (differences.length === 0) return done(way, 'It leads to the same schema.');
  const file = await firstFile(options, [plain, way], differences);
  const sentence = `It leads to another schema, first in ${file ?? 'a file that nobody can tell'}.`;
  return { name: way.name, outcome: 'differs', file, differences, sentence };
}

/** The first of the files that made one of the differing objects, either way. */
async function firstFile(
  options: RebuildOptions,
  ways: readonly Way[],
  differences: readonly SchemaDifference[],
): Promise<string | undefined> {
  const found = new Set<string>();
  for (const way of ways) {
    const fileOf = await inScratch(options, way, lastTouchedOf(way));
    for (const difference of differences) found.add(fileOf(difference) ?? keyOf(difference));
  }
  return ways[0]?.files.find(({ name }) => found.has(name))?.name;
}

const lastTouchedOf =
  (way: Way) =>
  (replay: Parameters<typeof lastTouched>[0]): ReturnType<typeof lastTouched> =>
    lastTouched(replay, way.files);

async function build(options: RebuildOptions, way: Way): Promise<SchemaDescription | MigrationFailedError> {
  try {
    return await inScratch(options, way, async (replay) => {
      for (const file of way.files) await replay.run(file);
      return describeSchema(replay.session);
    });
  } catch (error) {
    if (error instanceof MigrationFailedError) return error;
    throw error;
  }
}

function inScratch<T>(
  { connection, scratch, variables, signal }: RebuildOptions,
  way: Way,
  work: Parameters<typeof withReplay<T>>[2],
): Promise<T> {
  const place =
    way.connection === undefined ? { connection, scratch, signal } : { connection: way.connection, signal };
  return withScratch(place, (database) => withReplay(database, { timeZone: way.timeZone, variables }, work));
}

function failed(way: Way, error: MigrationFailedError): RebuildVariant {
  if (way.mayFail)
    return untested(
      way.name,
      `The modules need their order: ${error.file} fails [${error.sqlState ?? 'no answer'}].`,
    );
  const sentence = error.message.split('\n')[0] ?? '';
  return { name: way.name, outcome: 'fails', file: error.file, differences: [], sentence };
}

function done({ name }: Way, sentence: string): RebuildVariant {
  return { name, outcome: 'equal', differences: [], sentence };
}

function untested(name: RebuildVariant['name'], sentence: string): RebuildVariant {
  return { name, outcome: 'untested', differences: [], sentence };
}
