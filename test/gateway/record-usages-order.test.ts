import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories, recordUsages } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-groups.ts';
import { mustCreatePayer, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 8 } });
});
afterAll(() => gateway.close());

it.each([
  ['a balance', 0],
  ['a subscription', 1],
] as const)('a batch that begins with %s locks users before subscriptions', async (_what, first) => {
  const payer = await mustCreatePayer(gateway.em());
  const kinds = first === 0 ? ([0, 1] as const) : ([1, 0] as const);
  const batch = kinds.map((billingType, n) =>
    usageOf(payer, { billingType, subscriptionId: payer.subscriptionId, requestId: `${first}-${n}` }),
  );
  let recorded: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await tx.execute('select id from users where id = ? and deleted_at is null for no key update', [
      payer.userId,
    ]);
    recorded = recordUsages(gateway.em(), batch);
    recorded.catch(() => undefined);
    await untilWaiting(gateway, 1);
    // The subscription is free while the batch waits for the user; whoever holds the user may take it.
    await tx.execute('set local lock_timeout = 500');
    await gatewayRepositories(tx).subscriptions.extendByDays(payer.subscriptionId, 1);
  });
  await recorded;
  const { balance } = await gatewayRepositories(gateway.em()).users.getById(payer.userId);
  expect(balance).toBe('99.9876543211');
});
