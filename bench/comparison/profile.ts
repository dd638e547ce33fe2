import { type Profiler, Session } from 'node:inspector/promises';

/** Where the processor time of a library's process goes, of code that is on top of the stack. */
export interface Sample {
  readonly area: string;
  /** The function and its file. */
  readonly place: string;
  readonly share: number;
}

/** In this order, by the address of a script; compiled code of the core has none. */
const AREAS: readonly (readonly [RegExp, string])[] = [
  [/node_modules\/(pg|pg-[a-z-]+|postgres-[a-z]+)\//, 'pg'],
  [/node_modules\/kysely\//, 'Kysely'],
  [/node_modules\/@mikro-orm\/core\//, 'core'],
  [/node_modules\/@mikro-orm\//, 'driver of MikroORM'],
  [/\/(dist|src)\/kit\/([a-z-]+)\//, 'layer'],
  [/\/(dist|src)\/gateway\//, 'repositories'],
  [/^node:/, 'Node'],
  [/\/bench\//, 'bench'],
];

const INNER: ReadonlyMap<string, string> = new Map([
  ['(garbage collector)', 'gc'],
  ['(program)', 'native code'],
]);

/** Runs `work` under the profiler. What the process waits for is not counted. */
export async function profiled<T>(work: () => Promise<T>): Promise<{ answer: T; samples: Sample[] }> {
  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: 200 });
  await session.post('Profiler.start');
  try {
    const answer = await work();
    const { profile } = await session.post('Profiler.stop');
    return { answer, samples: samplesOf(profile) };
  } finally {
    session.disconnect();
  }
}

function samplesOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Sample[] {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const spent = new Map<string, { area: string; place: string; time: number }>();
  let all = 0;
  for (const [n, id] of samples.entries()) {
    const frame = frames.get(id);
    if (!frame || isWaiting(frame)) continue;
    const time = timeDeltas[n] ?? 0;
    const place = placeOf(frame);
    const entry = spent.get(place) ?? { area: areaOf(frame), place, time: 0 };
    entry.time += time;
    all += time;
    spent.set(place, entry);
  }
  return [...spent.values()]
    .map(({ area, place, time }) => ({ area, place, share: time / all }))
    .toSorted((one, other) => other.share - one.share);
}

/** While it waits, the last frame is that of the call that has started the profiler. */
const isWaiting = ({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): boolean =>
  functionName === '(idle)' || url === 'node:inspector';

const areaOf = ({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): string =>
  INNER.get(functionName) ??
  (url === '' ? 'compiled or built in' : (AREAS.find(([form]) => form.test(url))?.[1] ?? 'other'));

function placeOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const file = url.split('/').slice(-2).join('/');
  return `${functionName || 'anonymous'}${file && ` ${file}:${lineNumber + 1}`}`;
}
