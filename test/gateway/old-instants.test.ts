import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, recordUsage, recordUsages } from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';
import { mustCreateAccount } from '../support/gateway-accounts.ts';
import { insertBinding } from '../support/gateway-rows.ts';
import { mustCreatePayer, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

/** What a program in Go stores for an instant that was never set. */
const NEVER = new Date('0001-01-01T00:00:00Z');

// In the year 1 the clocks of Paris were 9 minutes and 21 seconds ahead, and those of Los Angeles seven hours and more behind.
describe.each(['UTC', 'Europe/Paris', 'America/Los_Angeles', 'Asia/Kolkata'])(
  'the year 1, in a session of %s',
  (zone) => {
    let gateway: Gateway;
    beforeAll(async () => {
      const { url } = await cloneTestDatabase();
      const plain = await openGateway({ url });
      const [row] = await plain.rows<{ name: string }>('select quote_ident(current_database()) as name');
      await plain.rows(`alter database ${row?.name} set timezone = '${zone}'`);
      await plain.close();
      gateway = await openGateway({ url });
    });
    afterAll(() => gateway.close());

    const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());

    it('is the instant of a subscription, however it is read', async () => {
      const { userId, groupId, subscriptionId } = await mustCreatePayer(gateway.em());
      await gateway.rows('update user_subscriptions set starts_at = ?, assigned_at = ? where id = ?', [
        NEVER,
        NEVER,
        subscriptionId,
      ]);
      const { subscriptions } = repositories();
      const never = { startsAt: NEVER, assignedAt: NEVER };
      expect(await subscriptions.getById(subscriptionId)).toMatchObject(never);
      expect(await subscriptions.getActiveByUserIdAndGroupId(userId, groupId)).toMatchObject(never);
      expect(await subscriptions.listByUserId(userId)).toMatchObject([never]);
    });

    it('is the instant of an account, also where it is chosen', async () => {
      const { groupId } = await mustCreatePayer(gateway.em());
      const { id } = await mustCreateAccount(gateway.em());
      await insertBinding(gateway.em(), id, groupId);
      await gateway.rows('update accounts set last_used_at = ?, rate_limit_reset_at = ? where id = ?', [
        NEVER,
        NEVER,
        id,
      ]);
      const never = { lastUsedAt: NEVER, rateLimitResetAt: NEVER };
      expect(await repositories().accounts.getById(id)).toMatchObject(never);
      expect(await repositories().accounts.listSchedulableByGroupId(groupId)).toMatchObject([never]);
    });

    it('is the instant of a log, alone and in a batch, at the first call and at a repeated one', async () => {
      const payer = await mustCreatePayer(gateway.em());
      const usage = usageOf(payer, { createdAt: NEVER, requestId: 'never' });
      const first = await recordUsage(gateway.em(), usage);
      const [again, other] = await recordUsages(gateway.em(), [
        usage,
        usageOf(payer, { createdAt: NEVER, requestId: 'never, too' }),
      ]);
      const { usageLogs } = repositories();
      const found = [first, await recordUsage(gateway.em(), usage), again, other];
      found.push((await usageLogs.create(usage)) as never, (await usageLogs.getById(first.id)) as never);
      expect(found.map((one) => one?.createdAt)).toEqual(found.map(() => NEVER));
    });

    it('is the instant of an event', async () => {
      await gateway.rows('delete from scheduler_outbox');
      await gateway.rows(
        `insert into scheduler_outbox (event_type, created_at, txid) values ('full_rebuild', ?, '0')`,
        [NEVER],
      );
      const events = await repositories().schedulerOutbox.listAfter({ txid: '0', id: '0' });
      expect(events).toMatchObject([{ createdAt: NEVER }]);
    });
  },
);
