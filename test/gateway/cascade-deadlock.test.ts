import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { deleteGroupCascade, recordUsage } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { codeOf } from '../support/gateway-subscriptions.ts';
import { mustCreatePayer, type Payer, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 8 } });
});
afterAll(() => gateway.close());

type Deletion = (em: DataEntityManager, groupId: string) => Promise<unknown>;

const cascade: Deletion = (em, groupId) => deleteGroupCascade(em, groupId);

/** Its two steps that matter here, with the lock that is given. */
const stepsUnder =
  (lock: string): Deletion =>
  async (em, groupId) => {
    await em.execute(`select id from groups where id = ? and deleted_at is null ${lock}`, [groupId]);
    await em.execute(
      'update user_subscriptions set deleted_at = now() where group_id = ? and deleted_at is null',
      [groupId],
    );
  };

/**
 * A charge has inserted its log and waits for the subscription, which somebody has locked; a deletion of the group has the group
 * and waits for the subscription behind it. The charge is next: it gets the subscription, and its foreign key asks for the group.
 */
async function crossed(
  deletion: Deletion,
  run: <T>(work: (em: DataEntityManager) => Promise<T>) => Promise<T>,
): Promise<{ codes: unknown[]; payer: Payer }> {
  const payer = await mustCreatePayer(gateway.em());
  const { subscriptionId, groupId } = payer;
  const other = gateway.em();
  await other.begin();
  // Locked and not changed, because behind a change the two would race for its new version.
  await other.execute(
    'select id from user_subscriptions where id = ? and deleted_at is null for no key update',
    [subscriptionId],
  );
  const usage = usageOf(payer, { requestId: `of ${groupId}`, billingType: 1, subscriptionId });
  const charging = codeOf(run((em) => recordUsage(em, usage)));
  await untilWaiting(gateway, 1);
  const deleting = codeOf(run((em) => deletion(em, groupId)));
  await untilWaiting(gateway, 2);
  await other.commit();
  return { codes: [await charging, await deleting], payer };
}

const alone = <T>(work: (em: DataEntityManager) => Promise<T>): Promise<T> => work(gateway.em());
const inTransaction = <T>(work: (em: DataEntityManager) => Promise<T>): Promise<T> =>
  gateway.em().transactional(work);

it('a charge and the cascade of its group wait for each other: one is done again, and ledger and counter agree', async () => {
  const { codes, payer } = await crossed(cascade, alone);
  expect(codes).toEqual(['done', 'done']);
  const rows = await gateway.rows(
    `select e.applied, e.applied = (s.daily_usage_usd > 0) as agrees, s.deleted_at is not null as deleted,
       g.deleted_at is not null as gone
     from billing_usage_entries e join user_subscriptions s on s.id = e.subscription_id join groups g on g.id = s.group_id
     where e.subscription_id = ?`,
    [payer.subscriptionId],
  );
  expect(rows).toEqual([{ applied: expect.any(Boolean), agrees: true, deleted: true, gone: true }]);
});

it('would give the deadlock to one of the callers in a transaction of its own, as a control', async () => {
  const { codes } = await crossed(cascade, inTransaction);
  expect(codes.toSorted()).toEqual(['DATA.CONCURRENCY', 'done']);
});

it('it is the strength of the lock: FOR UPDATE keeps foreign keys waiting, FOR NO KEY UPDATE does not', async () => {
  const strong = await crossed(stepsUnder('for update'), inTransaction);
  expect(strong.codes.toSorted()).toEqual(['DATA.CONCURRENCY', 'done']);
  const weak = await crossed(stepsUnder('for no key update'), inTransaction);
  expect(weak.codes).toEqual(['done', 'done']);
});

it('and the weaker one would overlook what another program attaches by its foreign key alone', async () => {
  const leftOn = async (lock: string): Promise<number> => {
    const payer = await mustCreatePayer(gateway.em());
    const attaching = gateway.em();
    await attaching.begin();
    await attaching.execute(
      `insert into user_subscriptions (user_id, group_id, starts_at, expires_at)
       select id, ?, now(), now() from users where deleted_at is null and id <> ? limit 1`,
      [payer.groupId, payer.userId],
    );
    const deleting = gateway.em().transactional((em) => stepsUnder(lock)(em, payer.groupId));
    if (lock === 'for update') await untilWaiting(gateway, 1);
    else await deleting;
    await attaching.commit();
    await deleting;
    const live = 'select id from user_subscriptions where group_id = ? and deleted_at is null';
    return (await gateway.rows(live, [payer.groupId])).length;
  };
  expect([await leftOn('for update'), await leftOn('for no key update')]).toEqual([0, 1]);
});
