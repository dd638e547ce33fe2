import type { StatementProgress } from '../kit/migrations/index.ts';

/** How often to look at a statement that runs: often enough for a bar, rarely enough for a log. */
export const everyMs = (stream: NodeJS.WriteStream): number => (stream.isTTY ? 500 : 5000);

/** What a statement does, in a few words: `creating index: 40 % for 12 s, blocked by 4711 psql (idle in transaction, 90 s)`. */
export function describeStatement({ ms, phase, done, total, blockedBy }: StatementProgress): string {
  const share = done !== undefined && total ? ` ${Math.floor((100 * done) / total)} %` : '';
  const who = blockedBy.map(
    ({ pid, application, state, ms: age }) =>
      `${pid} ${application || 'unnamed'} (${state}, ${seconds(age)})`,
  );
  const blocked = who.length === 0 ? '' : `, blocked by ${who.join(', ')}`;
  return `${phase ?? 'running'}${share} for ${seconds(ms)}${blocked}`;
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
