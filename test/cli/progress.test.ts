import { PassThrough } from 'node:stream';
import { expect, it } from '@jest/globals';
import type { StatementProgress } from 'tombstone/migrations';
import { progressFor } from '../../src/cli/progress.ts';
import { everyMs } from '../../src/cli/statement-progress.ts';

const EVENT: StatementProgress = {
  type: 'statement-progress',
  name: 'shop/002_index.sql',
  ms: 12_400,
  phase: 'building index: scanning table',
  done: 40,
  total: 100,
  blockedBy: [{ pid: 4711, application: '', state: 'idle in transaction', ms: 90_000 }],
};
const SENTENCE =
  'building index: scanning table 40 % for 12 s, blocked by 4711 unnamed (idle in transaction, 90 s)';

const output = (isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } => {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 200 }) as unknown as NodeJS.WriteStream;
  let text = '';
  stream.on('data', (data: Buffer) => (text += data.toString()));
  return { stream, text: () => text };
};

it('a statement that takes long is a line where there is no terminal, at most every five seconds', () => {
  const { stream, text } = output(false);
  progressFor({ stdout: stream, stderr: stream }, false).tell(EVENT);
  expect(text()).toBe(`shop/002_index.sql: ${SENTENCE}\n`);
  expect(everyMs(stream)).toBe(5000);
});

it('a statement that takes long stands beside the bar on a terminal', () => {
  const { stream, text } = output(true);
  const progress = progressFor({ stdout: stream, stderr: stream }, false);
  progress.tell({ type: 'start', name: EVENT.name, index: 1, total: 3 });
  progress.tell(EVENT);
  progress.end();
  expect(text()).toContain(`1/3 shop/002_index.sql ${SENTENCE}`);
});
