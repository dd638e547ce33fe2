import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { applyPromo, gatewayRepositories, redeem } from 'tombstone/gateway';
import { codeOf, mustCreatePromoCode, mustCreateRedeemCode } from '../support/gateway-codes.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const BALANCE = '999999999999.0000000000';
const CONCURRENCY = 2_147_483_647;

it('F41: what would overflow a user’s columns is VALIDATION, and user and codes stay as they are', async () => {
  const em = gateway.em();
  const { users, redeemCodes, promoCodes } = gatewayRepositories(em);
  const rich = { balance: BALANCE, concurrency: CONCURRENCY };
  const { id } = await mustCreateUser(em, rich);
  const money = await mustCreateRedeemCode(em, { value: '1' });
  const requests = await mustCreateRedeemCode(em, { type: 'concurrency', value: '1' });
  const promo = await mustCreatePromoCode(em);
  const attempts = [
    users.updateBalance(id, '1'),
    users.setBalance(id, 'add', '1'),
    users.updateConcurrency(id, 1),
    redeem(em, id, money.code),
    redeem(em, id, requests.code),
    applyPromo(em, id, promo.code),
  ].map(codeOf);
  expect(await Promise.all(attempts)).toEqual(Array(attempts.length).fill('VALIDATION'));
  expect(await users.getById(id)).toMatchObject(rich);
  const { items } = await redeemCodes.list();
  expect(items.map(({ status, usedBy }) => [status, usedBy])).toEqual([
    ['unused', null],
    ['unused', null],
  ]);
  expect((await promoCodes.getById(promo.id)).usedCount).toBe(0);
  expect(await promoCodes.findUsageByPromoCodeAndUser(promo.id, id)).toBeNull();
});

it('F41: the error holds no value of the row', async () => {
  const { id } = await mustCreateUser(gateway.em(), { balance: BALANCE });
  const [over] = await Promise.allSettled([gatewayRepositories(gateway.em()).users.updateBalance(id, '77')]);
  expect(over).toMatchObject({ reason: { code: 'VALIDATION', status: 400, sqlState: '22003' } });
  const reason: unknown = over?.status === 'rejected' && over.reason;
  expect(`${JSON.stringify(over)} ${String(reason)}`).not.toMatch(/999999999999|\b77\b/);
});
