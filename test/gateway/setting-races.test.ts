import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { codeOf } from '../support/gateway-codes.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 4 } });
});
afterAll(() => gateway.close());

it(`settings that ${CALLERS} callers write together and delete one by one: no deadlock, and no row twice`, async () => {
  const keys = Array.from({ length: 20 }, (_, n) => `key ${n}`);
  for (let round = 0; round < 10; round += 1) {
    const results = await Promise.all(
      Array.from({ length: CALLERS }, async (_, caller) => {
        const { settings } = gatewayRepositories(gateway.em());
        if (caller % 2 === 1) return codeOf(settings.delete(keys[(caller + round) % keys.length] ?? ''));
        const order = caller % 4 === 0 ? keys : keys.toReversed();
        return codeOf(settings.setMultiple(new Map(order.map((key) => [key, `of ${caller}`]))));
      }),
    );
    expect(results).toEqual(Array(CALLERS).fill('done'));
  }
  await gatewayRepositories(gateway.em()).settings.setMultiple(new Map(keys.map((key) => [key, 'last'])));
  const rows = await gateway.rows<{ value: string }>('select value from settings order by key');
  expect(rows.filter((row) => row.value !== 'last')).toEqual([]);
  expect(rows).toHaveLength(keys.length);
});
