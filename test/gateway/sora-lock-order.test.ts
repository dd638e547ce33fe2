import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { gatewayRepositories } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-groups.ts';
import { codeOf, mustCreateSoraAccount, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 12 } });
});
afterAll(() => gateway.close());

const HOLDER = { holder: 'w', leaseMs: 60_000 };

it('a transaction that changes an account and then its Sora row does not meet who asks for its slots', async () => {
  const id = await mustCreateSoraAccount(gateway);
  await soraOf(gateway).soraAccounts.upsert(id, { imageConcurrency: 8 });
  let asked: Promise<string>[] = [];
  const changed = gateway.em().transactional(async (tx) => {
    await gatewayRepositories(tx).accounts.update({ id, name: 'renamed' });
    asked = Array.from({ length: 8 }, () =>
      codeOf(soraOf(gateway).soraSlots.acquire(id, { image: 1 }, HOLDER)),
    );
    await untilWaiting(gateway, 8);
    await gatewayRepositories(tx).soraAccounts.upsert(id, { email: 'ada@example.com' });
  });
  expect(await codeOf(changed)).toBe('done');
  expect(await Promise.all(asked)).toEqual(Array(8).fill('done'));
  expect(await soraOf(gateway).soraSlots.inUse(id)).toEqual({ image: 8, video: 0 });
});

it('slots that are asked for while the Sora row is written are had by the limits that come of it', async () => {
  const id = await mustCreateSoraAccount(gateway);
  await soraOf(gateway).soraAccounts.upsert(id, { imageConcurrency: 0 });
  let asked: Promise<unknown[]> | undefined;
  await gateway.em().transactional(async (tx) => {
    await gatewayRepositories(tx).soraAccounts.upsert(id, { imageConcurrency: 3 });
    const acquire = () => soraOf(gateway).soraSlots.acquire(id, { image: 1 }, HOLDER);
    asked = Promise.all(Array.from({ length: 6 }, acquire));
    await untilWaiting(gateway, 6);
  });
  expect((await asked)?.filter((lease) => lease !== null)).toHaveLength(3);
});
