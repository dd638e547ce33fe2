import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { recordUsages } from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { mustCreatePayer, usageOf } from '../support/gateway-usage.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 8 } });
});
afterAll(() => gateway.close());

const WAITING = `select count(*)::int as count from pg_locks l join pg_stat_activity a on a.pid = l.pid
  where a.datname = current_database() and not l.granted`;
const SUBSCRIPTION = `select id from user_subscriptions where id = ? and deleted_at is null for no key update nowait`;

/** Batches are sorted by their request ids, so these say which charge the statement meets first. */
it.each([
  ['the balance', 'a', 'b'],
  ['the subscription', 'b', 'a'],
])(
  'a batch waits for users before it holds a subscription, also when %s comes first',
  async (first, balance, other) => {
    const payer = await mustCreatePayer(gateway.em());
    const { subscriptionId } = payer;
    const batch = [
      usageOf(payer, { requestId: `${balance} ${first}` }),
      usageOf(payer, { requestId: `${other} ${first}`, billingType: 1, subscriptionId }),
    ];
    let recording: Promise<unknown> | undefined;
    await gateway.em().transactional(async (em) => {
      await em.execute('select id from users where id = ? and deleted_at is null for no key update', [
        payer.userId,
      ]);
      recording = recordUsages(gateway.em(), batch);
      while ((await gateway.rows<{ count: number }>(WAITING))[0]?.count === 0) await sleep(10);
      expect(await gateway.rows(SUBSCRIPTION, [subscriptionId])).toHaveLength(1);
    });
    expect(await recording).toMatchObject([{ charge: { applied: true } }, { charge: { applied: true } }]);
  },
);

it('32 callers with users and subscriptions in common charge each request once, without a deadlock coming through', async () => {
  const payers = await Promise.all(Array.from({ length: 6 }, () => mustCreatePayer(gateway.em())));
  const all = payers.flatMap((payer, n) =>
    Array.from({ length: 40 }, (_, i) =>
      usageOf(payer, {
        requestId: `common-${(i * 7919) % 997}-${n}`,
        actualCost: '0.0000000001',
        totalCost: '0.0000000001',
        ...(i % 2 === 0 && { billingType: 1, subscriptionId: payer.subscriptionId }),
      }),
    ),
  );
  const shuffled = (): typeof all => all.toSorted(() => Math.random() - 0.5).slice(0, 80);
  await Promise.all(Array.from({ length: 32 }, () => recordUsages(gateway.em(), shuffled())));
  await recordUsages(gateway.em(), all);
  const sql = `select (select sum(100 - balance)::text from users where id = any (?::bigint[])) as balances,
    (select sum(daily_usage_usd)::text from user_subscriptions where id = any (?::bigint[])) as counters
    /* soft-delete: all rows, because a test looks at what was charged */`;
  const lists = [payers.map(({ userId }) => userId), payers.map(({ subscriptionId }) => subscriptionId)];
  const [sums] = await gateway.rows(
    sql,
    lists.map((ids) => `{${ids.join(',')}}`),
  );
  expect(sums).toEqual({ balances: '0.0000000120', counters: '0.0000000120' });
});
