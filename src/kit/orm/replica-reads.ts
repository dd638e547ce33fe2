import { isDataError } from '../errors/index.ts';
import type { DataConnection } from './data-connection.ts';
import type { DataDriver } from './data-driver.ts';
import { replicasOf, runOn } from './read-place.ts';
import { replicaPatienceOf } from './replica-patience.ts';

/** The replay of the log cancels a read that is in its way (40001), or has not yet brought what a migration made. */
const NOT_YET: ReadonlySet<string> = new Set(['40001', '40P01', '42P01', '42703', '42883', '42704']);

/** By connection: until when it is left alone. */
const resting = new WeakMap<DataConnection, number>();

/**
 * Runs `work`, which only reads, on one of the replicas, and again from its start on the primary when that one cannot answer.
 * Every statement of it goes to the same replica: two of them may be differently late.
 */
export async function onReplica<T>(driver: DataDriver, work: () => T): Promise<Awaited<T>> {
  const replica = oneOf(replicasOf(driver).filter((one) => (resting.get(one) ?? 0) <= performance.now()));
  if (!replica) return onPrimary(driver, work);
  try {
    return await whileAsking(driver, replica, () => runOn(driver, replica, work));
  } catch (error) {
    if (!isAbsence(error) && !(isDataError(error) && NOT_YET.has(error.sqlState ?? ''))) throw error;
    if (isAbsence(error)) rest(driver, replica);
  }
  return onPrimary(driver, work);
}

async function onPrimary<T>(driver: DataDriver, work: () => T): Promise<Awaited<T>> {
  return await runOn(driver, driver.getConnection('write'), work);
}

/** The replica is asked anew while a statement waits, so that a slow one may end and a dead one is noticed. */
async function whileAsking<T>(
  { config }: DataDriver,
  replica: DataConnection,
  work: () => T,
): Promise<Awaited<T>> {
  const timer = setInterval(() => void replica.endIfSilent(), replicaPatienceOf(config).askAfterMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

function isAbsence(error: unknown): boolean {
  return isDataError(error, 'DATA.UNAVAILABLE');
}

function rest(driver: DataDriver, replica: DataConnection): void {
  const now = performance.now();
  if ((resting.get(replica) ?? 0) > now) return;
  const { restMs } = replicaPatienceOf(driver.config);
  resting.set(replica, now + restMs);
  const number = replicasOf(driver).indexOf(replica) + 1;
  driver.config.getLogger().warn(
    'query',
    `Read replica ${number} of the configuration does not answer. For ${restMs / 1000} s, lists and statistics run on the ` +
      'primary, or on another replica. Start it, or take it out of the configuration.',
    // Whatever is logged else: the primary has more to do until somebody looks.
    { enabled: true },
  );
}

function oneOf<T>(choice: readonly T[]): T | undefined {
  return choice[Math.floor(Math.random() * choice.length)];
}
