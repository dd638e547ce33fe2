import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { StatementProgress } from 'tombstone/migrations';
import { progressFor } from '../../src/cli/progress.ts';
import { everyMs } from '../../src/cli/statement-progress.ts';
import type { Ended } from '../support/command.ts';
import { project } from './fixtures/project.ts';

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

/** Builds an index by the real command while a transaction is open whose snapshot is older, until that has been looked at. */
async function buildBehindSnapshot(...args: string[]): Promise<Ended & { blocker: number }> {
  const { url, tombstone, query } = await project({
    '001_items.sql': 'create table items (id int); create table others (id int);',
    '002_index.sql':
      '-- +goose NO TRANSACTION\n-- +goose Up\ncreate index concurrently items_id on items (id);\n',
  });
  await tombstone('migrate', 'up', '--to', '1');
  const report = new Client({ connectionString: url, application_name: 'nightly report' });
  await report.connect();
  await report.query('begin isolation level repeatable read');
  const { rows } = await report.query<{ pid: number }>(
    'select pg_backend_pid() as pid from others right join (select) a on true',
  );
  const running = tombstone('migrate', 'up', ...args);
  const looked = `select from pg_stat_activity where datname = current_database() and application_name = 'tombstone progress'
    and state = 'idle' and query like '%pg_stat_progress_create_index%'`;
  while ((await query(looked)).length === 0) await sleep(50);
  await report.query('commit');
  await report.end();
  return { ...(await running), blocker: rows[0]?.pid ?? 0 };
}

it('a concurrent build that waits for an old transaction names it, in text and in JSON', async () => {
  const [text, json] = await Promise.all([buildBehindSnapshot(), buildBehindSnapshot('--json')]);
  expect(text).toMatchObject({ code: 0, err: '' });
  // Of how many snapshots, depends on who else looks at the database at that moment, autovacuum for one.
  expect(text.out).toMatch(
    new RegExp(
      `^shop/002_index\\.sql: waiting for old snapshots \\d+ % for \\d+ s, blocked by ${text.blocker} nightly report \\(idle in transaction, \\d+ s\\)$`,
      'm',
    ),
  );
  expect(json.code).toBe(0);
  const event = json.err.split('\n').find((line) => line.includes('statement-progress'));
  expect(JSON.parse(event ?? '')).toMatchObject({
    type: 'statement-progress',
    name: 'shop/002_index.sql',
    phase: 'waiting for old snapshots',
    blockedBy: [
      {
        pid: json.blocker,
        application: 'nightly report',
        state: 'idle in transaction',
        ms: expect.any(Number),
      },
    ],
  });
}, 60_000);
