import { expect, it } from '@jest/globals';
import { run } from '../support/command.ts';
import { testServer } from '../support/database.ts';

const soak = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  run(['--import', './tools/from-sources.js', 'soak/main.ts', ...args], env);

/** On the server of the tests; without it, the program starts one. */
const onTestServer = async (...args: string[]) => soak(args, { DATABASE_URL: (await testServer()).url() });

it.each([
  ['plain', () => soak(['live-parent', '--seconds', '3', '--json'])],
  ['online', () => onTestServer('live-parent', '--seconds', '2', '--form', 'online', '--json')],
])(
  'finds live children of dead parents without the guarantee, and none with it, %s',
  async (_form, start) => {
    const { code, out, err } = await start();
    expect(err).toBe('');
    const report = JSON.parse(out);
    expect(report.violations).toBe(0);
    expect(report.operations).toBeGreaterThan(0);
    expect(report.violationsWithoutGuarantee).toBeGreaterThan(0);
    expect(code).toBe(0);
  },
  120_000,
);

it('takes over a database of the original while its program writes', async () => {
  const { code, out, err } = await onTestServer(
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
  expect(await soak(['live-parent', '--seconds', 'long'])).toMatchObject({ code: 1, out: '' });
});
