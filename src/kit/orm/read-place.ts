import { AsyncLocalStorage } from 'node:async_hooks';
import type { DataConnection } from './data-connection.ts';
import type { DataDriver } from './data-driver.ts';

interface ReadPlace {
  readonly driver: DataDriver;
  readonly connection: DataConnection;
}

const storage = new AsyncLocalStorage<ReadPlace>();

/** The connection for every statement that the calling code sends by this driver; undefined where MikroORM chooses one. */
export function placedConnection(driver: DataDriver): DataConnection | undefined {
  const place = storage.getStore();
  return place?.driver === driver ? place.connection : undefined;
}

/**
 * Runs `work` with one connection for all of its statements, whichever way each is sent and whatever it asks for. A
 * transaction that is open keeps its own.
 */
export function runOn<T>(driver: DataDriver, connection: DataConnection, work: () => T): T {
  return storage.run({ driver, connection }, work);
}

/** The connections to the replicas that are configured. */
export function replicasOf(driver: DataDriver): readonly DataConnection[] {
  // Protected in the core, which hands out one of them at random.
  return (driver as unknown as { replicas: readonly DataConnection[] }).replicas;
}
