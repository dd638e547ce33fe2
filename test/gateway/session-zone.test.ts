import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assignOrExtendSubscription, gatewayRepositories, redeem } from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';
import { DAY, mustCreateSubscription, subscriptionsOf } from '../support/gateway-subscriptions.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

const DAYS = 182;
/** In winter, so that half a year later the clocks of the zone are an hour further. */
const START = new Date('2090-01-01T00:00:00Z');
const END = new Date(START.getTime() + DAYS * DAY);

let gateway: Gateway;
/** Every session of this database has a zone whose clocks change. */
beforeAll(async () => {
  const { url } = await cloneTestDatabase();
  const plain = await openGateway({ url });
  const [row] = await plain.rows<{ name: string }>('select quote_ident(current_database()) as name');
  await plain.rows(`alter database ${row?.name} set timezone = 'Europe/Paris'`);
  await plain.close();
  gateway = await openGateway({ url });
});
afterAll(() => gateway.close());

const subscription = () => mustCreateSubscription(gateway.em(), { expiresAt: START });

describe('F35: a day of a subscription in a session whose clocks change', () => {
  it('is an hour shorter where PostgreSQL adds days, as a control', async () => {
    const { id } = await subscription();
    const original = `update user_subscriptions set expires_at = expires_at + make_interval(days => ${DAYS})
      where id = ? returning extract(epoch from expires_at)::float8 * 1000 as at`;
    expect(await gateway.rows(original, [id])).toEqual([{ at: END.getTime() - DAY / 24 }]);
  });

  it('has 24 hours where it is extended', async () => {
    const { id } = await subscription();
    expect(await subscriptionsOf(gateway).extendByDays(id, DAYS)).toEqual(END);
  });

  it('has 24 hours where it is assigned once more', async () => {
    const { userId, groupId } = await subscription();
    const { subscription: found } = await assignOrExtendSubscription(gateway.em(), {
      userId,
      groupId,
      days: DAYS,
    });
    expect(found.expiresAt).toEqual(END);
  });

  it('has 24 hours where it is assigned for the first time', async () => {
    const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    const user = await mustCreateUser(gateway.em());
    const assigned = await assignOrExtendSubscription(gateway.em(), {
      userId: user.id,
      groupId: group.id,
      days: DAYS,
    });
    const { startsAt, expiresAt } = assigned.subscription;
    expect(expiresAt.getTime() - startsAt.getTime()).toBe(DAYS * DAY);
  });

  it('has 24 hours where a code is redeemed', async () => {
    const { userId, groupId } = await subscription();
    const { redeemCodes } = gatewayRepositories(gateway.em());
    await redeemCodes.create({
      code: 'half-a-year',
      type: 'subscription',
      value: '0',
      groupId,
      validityDays: DAYS,
    });
    expect(await redeem(gateway.em(), userId, 'half-a-year')).toMatchObject({
      subscription: { expiresAt: END },
    });
  });
});
