import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories, recordUsages } from 'tombstone/gateway';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { codeOf } from '../support/gateway-subscriptions.ts';
import { mustCreatePayer, type Payer, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

// A statement that locks rows and then changes them looks for each row twice, both times in the version that it saw at its
// start. When a foreign key's lock of another transaction is still on that version, PostgreSQL makes the change queue for the
// version again, although the statement has locked the newest one; and whoever has come next in that queue waits for the
// newest one by then.

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 16 } });
});
afterAll(() => gateway.close());

type Change = (em: DataEntityManager, payer: Payer) => Promise<unknown>;

/** Two changes, one behind the other in the queue for a user or an account that is changed, while a request with both is not yet committed. */
async function queued(
  change: Change,
  { withRequest, inTransaction }: { withRequest: boolean; inTransaction: boolean },
) {
  const payer = await mustCreatePayer(gateway.em());
  const [request, other] = [gateway.em(), gateway.em()];
  await request.begin();
  if (withRequest) await gatewayRepositories(request).usageLogs.create(usageOf(payer));
  await other.begin();
  await gatewayRepositories(other).users.updateBalance(payer.userId, '1');
  await gatewayRepositories(other).accounts.setOverloaded(payer.accountId, new Date());
  const changes: Promise<unknown>[] = [];
  for (const waiting of [1, 2]) {
    const em = gateway.em();
    const work = inTransaction ? em.transactional((tx) => change(tx, payer)) : change(em, payer);
    changes.push(codeOf(work));
    await untilWaiting(gateway, waiting);
  }
  await other.commit();
  const codes = (await Promise.all(changes)).toSorted();
  await request.commit();
  return { codes, payer };
}

let calls = 0;
const next = (): number => (calls += 1);
const stored = async (column: string, table: string, id: string): Promise<unknown> =>
  (
    await gateway.rows<{ value: unknown }>(`select (${column})::text as value from ${table} where id = ?`, [
      id,
    ])
  )[0]?.value;
const KEYS = '(select count(*) from jsonb_object_keys(extra))';

/** The change, where both of them are seen, and what is seen there then. */
const CHANGES: readonly [string, Change, (payer: Payer) => Promise<unknown>, string][] = [
  [
    'recordUsages',
    (em, payer) => recordUsages(em, [usageOf(payer, { actualCost: '0.0000000001' })]),
    ({ userId }) => stored('balance', 'users', userId),
    '100.9999999998',
  ],
  [
    'setBalance',
    (em, { userId }) => gatewayRepositories(em).users.setBalance(userId, 'subtract', '0.0000000001'),
    ({ userId }) => stored('balance', 'users', userId),
    '100.9999999998',
  ],
  [
    'accounts.bulkUpdate',
    (em, { accountId }) =>
      gatewayRepositories(em).accounts.bulkUpdate([accountId], { extra: { [`key ${next()}`]: 1 } }),
    ({ accountId }) => stored(KEYS, 'accounts', accountId),
    '2',
  ],
  [
    'accounts.batchUpdateLastUsed',
    (em, { accountId }) =>
      gatewayRepositories(em).accounts.batchUpdateLastUsed(
        new Map([[accountId, new Date(Date.now() + next())]]),
      ),
    ({ accountId }) => stored('last_used_at is not null', 'accounts', accountId),
    'true',
  ],
];

describe.each(CHANGES)('%s twice, while a request is not yet committed', (_name, change, seen, both) => {
  it('ends in a deadlock of the queue for one row, as a control', async () => {
    const { codes } = await queued(change, { withRequest: true, inTransaction: true });
    expect(codes).toEqual(['DATA.CONCURRENCY', 'done']);
  });

  it('is done again outside a transaction of the caller, and both count', async () => {
    const { codes, payer } = await queued(change, { withRequest: true, inTransaction: false });
    expect({ codes, seen: await seen(payer) }).toEqual({ codes: ['done', 'done'], seen: both });
  });

  it('does not without the request: it is the foreign key that keeps the old version in use', async () => {
    const { codes } = await queued(change, { withRequest: false, inTransaction: true });
    expect(codes).toEqual(['done', 'done']);
  });
});

describe('what does not queue twice', () => {
  it.each<[string, Change]>([
    [
      'a change without a lock before it',
      (em, { userId }) => gatewayRepositories(em).users.deductBalance(userId, '0.0000000001'),
    ],
    [
      'a change in a statement after that of the lock, which sees the version that is locked',
      async (em, { userId }) => {
        await em.execute('select id from users where id = ? and deleted_at is null for no key update', [
          userId,
        ]);
        await gatewayRepositories(em).users.deductBalance(userId, '0.0000000001');
      },
    ],
  ])('%s', async (_what, change) => {
    const { codes, payer } = await queued(change, { withRequest: true, inTransaction: true });
    const balance = await stored('balance', 'users', payer.userId);
    expect({ codes, balance }).toEqual({ codes: ['done', 'done'], balance: '100.9999999998' });
  });
});
