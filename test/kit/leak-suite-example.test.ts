import { beforeAll, describe, expect, it } from '@jest/globals';
import type { LeakReportJson } from 'tombstone/testing';
import { run } from '../support/command.ts';
import { testServer } from '../support/database.ts';

let url: string;
beforeAll(async () => {
  url = (await testServer()).url();
});

/** As a user runs it, but for the package, which is read from the sources instead of a build. */
const example = (...args: string[]) =>
  run(['--import', './tools/from-sources.js', 'examples/leak-suite.ts', ...args], { DATABASE_URL: url });

describe('the leak suite as a program of another service', () => {
  it('prints a line per probe and ends well, with no test framework', async () => {
    const { code, out, err } = await example();
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain('Order.find ');
    expect(out).toContain('Customer.orders.products populate a path joined');
    expect(out).toMatch(/over 3 entities: \d+ tight, 0 leaking, 0 broken, 0 proving nothing, 5 not run\n$/);
  });

  it('prints the same for machines', async () => {
    const { code, out } = await example('--json');
    expect(code).toBe(0);
    const { format, passed, sums, results, entities } = JSON.parse(out) as LeakReportJson;
    expect({ format, passed, entities }).toEqual({
      format: 1,
      passed: true,
      entities: ['Customer', 'Order', 'Product'],
    });
    expect(results).toHaveLength(sums.probes);
    expect(sums).toEqual({
      probes: sums.tight + 5,
      tight: sums.tight,
      leaking: 0,
      broken: 0,
      vacuous: 0,
      notRun: 5,
    });
    expect(sums.tight).toBeGreaterThan(150);
  });

  it('ends with 1 and names the leaks where there are any', async () => {
    const { code, out } = await example('--stock', '--json');
    expect(code).toBe(1);
    const { passed, leaks, sums } = JSON.parse(out) as LeakReportJson;
    expect(passed).toBe(false);
    expect(leaks).toEqual(expect.arrayContaining(['Order.find', 'Customer.orders populate joined']));
    expect(leaks).toHaveLength(sums.leaking);
  });
});
