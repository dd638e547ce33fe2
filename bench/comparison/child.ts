import { takeTurn, type Turn } from '../measure.ts';
import type { Library, LibraryModule, Way, WorkloadName } from './library.ts';
import { profiled, type Sample } from './profile.ts';
import { seen } from './seen.ts';

/** What the parent asks: to call a way once for each input, by so many callers at the same time. */
export interface Request {
  readonly workload: WorkloadName;
  /** Empty for the way that the documentation recommends. */
  readonly way: string;
  readonly inputs: readonly unknown[];
  readonly callers: number;
  /** Answer what is seen in the answers, too. */
  readonly show: boolean;
  /** Tell where the processor time goes. */
  readonly profile?: boolean;
}

export type Reply =
  | { readonly ready: Ready }
  | {
      readonly turn: Turn;
      readonly rss: number;
      readonly seen: readonly string[];
      readonly samples: readonly Sample[];
    }
  | { readonly failed: string };

/** What a library takes to start: from the first import until its first statement is answered. */
export interface Ready {
  readonly ms: number;
  readonly cpuMs: number;
  readonly rss: number;
  readonly rssBefore: number;
  /** The ways of each workload, the recommended one first. */
  readonly ways: Readonly<Partial<Record<WorkloadName, readonly string[]>>>;
  readonly byHand: readonly WorkloadName[];
}

const [path = '', url = '', size = '10'] = process.argv.slice(2);

async function start(): Promise<Library> {
  const rssBefore = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const { open } = (await import(path)) as LibraryModule;
  const library = await open({ url, size: Number(size) });
  await library.ways.W1?.('sk-bench-none');
  const used = process.cpuUsage(cpu);
  const ready: Ready = {
    ms: performance.now() - begin,
    cpuMs: (used.user + used.system) / 1000,
    rss: process.memoryUsage.rss(),
    rssBefore,
    ways: waysOf(library),
    byHand: library.byHand ?? [],
  };
  send({ ready });
  return library;
}

function waysOf({ ways, faster }: Library): Ready['ways'] {
  const names = [...new Set([...Object.keys(ways), ...Object.keys(faster ?? {})])] as WorkloadName[];
  return Object.fromEntries(
    names.map((name) => [name, [...(ways[name] ? [''] : []), ...Object.keys(faster?.[name] ?? {})]]),
  );
}

async function answer(library: Library, request: Request): Promise<Reply> {
  const { workload, way, inputs, callers, show } = request;
  const call = (way ? library.faster?.[workload]?.[way] : library.ways[workload]) as Way<WorkloadName>;
  const answers: string[] = [];
  const run = async (index: number): Promise<void> => {
    const given = await call(inputs[index] as never);
    if (show) answers.push(seen(workload, given));
  };
  const take = () => takeTurn({ name: way, run }, 0, inputs.length, callers);
  const { answer: turn, samples } = request.profile
    ? await profiled(take)
    : { answer: await take(), samples: [] };
  return { turn, rss: process.memoryUsage.rss(), seen: answers, samples };
}

function send(reply: Reply): void {
  process.send?.(reply);
}

const failed = (error: unknown): Reply => ({
  failed: error instanceof Error ? (error.stack ?? error.message) : String(error),
});

const library = await start().catch((error: unknown) => {
  process.send?.(failed(error), () => process.exit(1));
  return undefined;
});
process.on('message', (request: Request) => {
  if (library) answer(library, request).then(send, (error: unknown) => send(failed(error)));
});
// Pools keep the process alive, and the parent may be gone.
process.on('disconnect', () => process.exit());
