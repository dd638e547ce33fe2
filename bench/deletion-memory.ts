import { readFileSync } from 'node:fs';
import { MikroORM } from '@mikro-orm/postgresql';
import Table from 'cli-table3';
import { type DataEntityManager, defineDataConfig, deletionJournal } from 'tombstone';
import { deleteRows, restore } from 'tombstone/deletion';
import { Migrator } from 'tombstone/migrations';
import { createTestDatabase, type TestServer } from '../src/kit/testing/index.ts';
import { openGround } from './comparison/ground.ts';
import { Project, trees } from './comparison/trees/tree-module.ts';
import { plantOwner } from './comparison/trees/plant-trees.ts';

/** What a deletion or a restore of so many rows took, in bytes above what there was before it. */
export interface MemoryOf {
  readonly work: 'delete' | 'restore';
  readonly rows: number;
  readonly ms: number;
  /** Of this process. */
  readonly own: number;
  /** Of the server's process without the pages that all share; undefined where there is no /proc. */
  readonly server: number | undefined;
}

const EVERY_MS = 20;

/** Deletes and restores a tenth of the rows, and then all: memory is flat where both take the same. */
export async function deletionMemory(server: TestServer, rows: number): Promise<MemoryOf[]> {
  const database = await createTestDatabase(server);
  const modules = [trees, deletionJournal];
  await new Migrator({ connection: database.url, modules }).up();
  const ground = await openGround(database.url, { times: 1 });
  const pool = { min: 0, max: 1 };
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: database.url, modules, pool }));
  try {
    const em = orm.em.fork();
    // The first call compiles the policies.
    const found: MemoryOf[] = [];
    for (const [owner, count] of [100, rows / 10, rows].entries()) {
      await plantOwner(ground.client, String(1 + owner), count / 31);
      found.push(...(await watchedPair(em, String(1 + owner))));
    }
    return found.slice(2);
  } finally {
    await orm.close();
    await ground.close();
    await database.drop();
  }
}

async function watchedPair(em: DataEntityManager, ownerId: string): Promise<MemoryOf[]> {
  const [{ pid }] = await em.execute<[{ pid: number }]>('select pg_backend_pid() as pid');
  const { answer, ...deleted } = await watched(pid, () => deleteRows(em, Project, { ownerId }));
  const { batch } = answer;
  if (batch === undefined) throw new Error('Nothing was deleted. Correct what is planted.');
  const { answer: restored, ...lifted } = await watched(pid, () => restore(em, batch));
  const rowsOf = (counts: Readonly<Record<string, number>>): number =>
    Object.values(counts).reduce((sum, count) => sum + count, 0);
  return [
    { work: 'delete', rows: rowsOf(answer.fell), ...deleted },
    { work: 'restore', rows: rowsOf(restored.rows), ...lifted },
  ];
}

async function watched<T>(
  pid: number,
  work: () => Promise<T>,
): Promise<{ answer: T; ms: number; own: number; server: number | undefined }> {
  const before = [process.memoryUsage.rss(), memoryOfServer(pid)] as const;
  let [own, server] = before;
  const timer = setInterval(() => {
    own = Math.max(own, process.memoryUsage.rss());
    server = Math.max(server ?? 0, memoryOfServer(pid) ?? 0);
  }, EVERY_MS);
  const start = performance.now();
  try {
    const answer = await work();
    const ms = performance.now() - start;
    const above = before[1] === undefined ? undefined : (server ?? 0) - before[1];
    return { answer, ms, own: own - before[0], server: above };
  } finally {
    clearInterval(timer);
  }
}

/** Without the shared buffers, each page of which would count from its first use on. */
function memoryOfServer(pid: number): number | undefined {
  try {
    const found = /RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found ? Number(found[1]) * 1024 : undefined;
  } catch {
    return undefined;
  }
}

const MB = 1_000_000;

export function memoryTable(found: readonly MemoryOf[]): string {
  const head = ['work', 'rows', 'ms', 'this process, MB more', "server's process, MB more"];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { work, rows, ms, own, server } of found) {
    const ofServer = server === undefined ? '–' : (server / MB).toFixed(1);
    table.push([work, rows.toLocaleString('en'), ms.toFixed(0), (own / MB).toFixed(1), ofServer]);
  }
  return table.toString();
}
