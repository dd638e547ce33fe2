import { expect, it } from '@jest/globals';
import { ROOT, run } from '../support/command.ts';
import { testServer } from '../support/database.ts';

const soak = async (...args: string[]) =>
  run(
    ['--import', './tools/from-sources.js', 'soak/main.ts', ...args],
    { DATABASE_URL: (await testServer()).url() },
    ROOT,
  );

it('finds live children of dead parents without the guarantee, and none with it', async () => {
  const { code, out, err } = await soak('live-parent', '--seconds', '2', '--form', 'online', '--json');
  expect(err).toBe('');
  const report = JSON.parse(out);
  expect(report.violations).toBe(0);
  expect(report.operations).toBeGreaterThan(0);
  expect(report.violationsWithoutGuarantee).toBeGreaterThan(0);
  expect(code).toBe(0);
}, 120_000);

it('takes over a database of the original while its program writes', async () => {
  const { code, out, err } = await soak(
    'adopt',
    '--users',
    '12000',
    '--logs',
    '2000',
    '--shape',
    'phase-1',
    '--json',
  );
  expect([code, err]).toEqual([0, '']);
  const report = JSON.parse(out);
  expect(report).toMatchObject({ state: 'partial', isIntact: true });
  expect(report.charges).toBeGreaterThan(0);
  expect(report.progress).toBeGreaterThan(report.steps);
}, 120_000);

it('refuses an argument that is none', async () => {
  expect(await soak('live-parent', '--seconds', 'long')).toMatchObject({ code: 1, out: '' });
});
