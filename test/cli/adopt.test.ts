import { PassThrough } from 'node:stream';
import { expect, it } from '@jest/globals';
import { Client } from 'pg';
import { adoptionProgress } from '../../src/cli/adoption-progress.ts';
import { COMPLETE, createOriginal } from '../support/original-gateway.ts';
import { ROOT, run } from '../support/command.ts';
import { emptyTestDatabase } from '../support/database.ts';

const output = (isTTY: boolean): { stream: NodeJS.WriteStream; text: () => string } => {
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 200 }) as unknown as NodeJS.WriteStream;
  let text = '';
  stream.on('data', (data: Buffer) => (text += data.toString()));
  return { stream, text: () => text };
};

function told(isTTY: boolean, json: boolean): string {
  const { stream, text } = output(isTTY);
  const view = adoptionProgress({ stdout: stream, stderr: stream }, json);
  view.tell({ type: 'adoption-step', text: 'Widen a column', index: 1, total: 4 });
  view.tell({ type: 'adoption-rows', text: 'Copy a column', rows: 2000, estimate: 9000 });
  view.end();
  return text();
}

it('shows a bar with the rows of a step on a terminal, a line a step elsewhere, and objects for machines', () => {
  expect(told(true, false)).toMatch(/1\/4 Copy a column: 2000 of about 9000 rows/);
  expect(told(false, false)).toBe('step 2/4 Widen a column\n');
  const lines = told(false, true).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).type)).toEqual(['adoption-step', 'adoption-rows']);
});

it('looks, then takes over, and prints one object for machines', async () => {
  const { url } = await emptyTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  await createOriginal(client, COMPLETE, { users: 50, logs: 50 });
  const adopt = (...args: string[]) =>
    run(['bin/tombstone.js', 'migrate', 'adopt', ...args], { DATABASE_URL: url }, ROOT);
  const looked = await adopt();
  expect(looked).toMatchObject({ code: 0, err: '' });
  expect(looked.out).toMatch(/^This is a complete database of the original\.$/m);
  expect(looked.out).toMatch(/^Kept as they are, \d+ objects/m);
  expect(looked.out).toMatch(/Nothing was changed\. Say --apply to carry it out\.\n$/);
  const names = `select from schema_migrations where filename like 'gateway/%'`;
  expect((await client.query(names)).rowCount).toBe(0);
  const done = await adopt('--apply', '--json');
  expect(done.code).toBe(0);
  expect(JSON.parse(done.out)).toMatchObject({
    state: 'complete',
    blockers: [],
    done: { locks: expect.any(Array) },
  });
  expect((await client.query(names)).rowCount).toBeGreaterThan(20);
  expect((await adopt()).out).toMatch(/^This is a database with a history of its own/m);
  await client.end();
}, 60_000);
