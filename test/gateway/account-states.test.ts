import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type AccountRecord, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { eventsOf, mustCreateAccount } from '../support/gateway-accounts.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

const UNKNOWN = '987654321';
const LATER = new Date('2031-02-03T04:05:06.789Z');
const LATEST = new Date('2032-02-03T04:05:06.789Z');

type Accounts = GatewayRepositories['accounts'];
let gateway: Gateway;
let accounts: Accounts;
let account: AccountRecord;
let dead: string;
beforeAll(async () => {
  gateway = await openGateway();
  accounts = gatewayRepositories(gateway.em()).accounts;
  dead = (await mustCreateAccount(gateway.em())).id;
  await accounts.delete(dead);
});
beforeEach(async () => {
  account = await mustCreateAccount(gateway.em());
});
afterAll(() => gateway.close());

const stored = (): Promise<AccountRecord> => accounts.getById(account.id);

/** A change, what is stored then, and whether doing it again changes anything. */
const CHANGES: [string, (id: string) => Promise<boolean>, object, boolean][] = [
  ['setError', (id) => accounts.setError(id, 'refused'), { status: 'error', errorMessage: 'refused' }, false],
  ['setSchedulable', (id) => accounts.setSchedulable(id, false), { schedulable: false }, false],
  [
    'setRateLimited',
    (id) => accounts.setRateLimited(id, LATER),
    { rateLimitedAt: expect.any(Date), rateLimitResetAt: LATER },
    true,
  ],
  ['setOverloaded', (id) => accounts.setOverloaded(id, LATER), { overloadUntil: LATER }, false],
  [
    'setTempUnschedulable',
    (id) => accounts.setTempUnschedulable(id, LATER, 'busy'),
    { tempUnschedulableUntil: LATER, tempUnschedulableReason: 'busy' },
    false,
  ],
  [
    'updateSessionWindow',
    (id) => accounts.updateSessionWindow(id, LATER, LATEST, 'allowed'),
    { sessionWindowStart: LATER, sessionWindowEnd: LATEST, sessionWindowStatus: 'allowed' },
    false,
  ],
];

const CLEARS: [string, (id: string) => Promise<unknown>, (id: string) => Promise<boolean>, object][] = [
  [
    'clearTempUnschedulable',
    (id) => accounts.setTempUnschedulable(id, LATER, 'busy'),
    (id) => accounts.clearTempUnschedulable(id),
    { tempUnschedulableUntil: null, tempUnschedulableReason: '' },
  ],
  [
    'clearRateLimit',
    async (id) => [await accounts.setRateLimited(id, LATER), await accounts.setOverloaded(id, LATER)],
    (id) => accounts.clearRateLimit(id),
    { rateLimitedAt: null, rateLimitResetAt: null, overloadUntil: null },
  ],
];

describe.each(CHANGES)('%s', (_name, change, after, again) => {
  it('writes the row and its event in one statement, sets updated_at, and says so', async () => {
    let answer: boolean | undefined;
    const events = await eventsOf(gateway, async () => {
      gateway.statements();
      answer = await change(account.id);
      expect(gateway.statements()).toHaveLength(1);
    });
    expect([answer, events]).toMatchObject([
      true,
      [{ event_type: 'account_changed', account_id: account.id }],
    ]);
    expect(await stored()).toMatchObject(after);
    expect((await stored()).updatedAt.getTime()).toBeGreaterThan(account.updatedAt.getTime());
  });

  it('F18: writes no event where no row changes', async () => {
    await change(account.id);
    for (const id of [UNKNOWN, dead, ...(again ? [] : [account.id])]) {
      let answer: boolean | undefined;
      expect([await eventsOf(gateway, async () => (answer = await change(id))), answer]).toEqual([[], false]);
    }
  });

  it('goes with the roll-back of its transaction, and so does the event', async () => {
    const events = await eventsOf(gateway, async () => {
      const attempt = gateway.em().transactional(async (tx) => {
        await gatewayRepositories(tx).accounts.setError(account.id, 'x');
        throw new Error('afterwards');
      });
      await expect(attempt).rejects.toThrow('afterwards');
    });
    expect([events, (await stored()).status]).toEqual([[], 'active']);
  });
});

it('F18: the original tells of a change of no row, as a control', async () => {
  const original = async (): Promise<void> => {
    await gateway.rows(`update accounts set status = 'error' where id = ?`, [UNKNOWN]);
    await gateway.rows(
      `insert into scheduler_outbox (event_type, account_id) values ('account_changed', ?)`,
      [UNKNOWN],
    );
  };
  expect(await eventsOf(gateway, original)).toMatchObject([{ account_id: UNKNOWN }]);
});

describe.each(CLEARS)('%s', (_name, set, clear, after) => {
  it('empties its columns, once', async () => {
    await set(account.id);
    let answer: boolean | undefined;
    const events = await eventsOf(gateway, async () => (answer = await clear(account.id)));
    expect([answer, events]).toMatchObject([true, [{ account_id: account.id }]]);
    expect(await stored()).toMatchObject(after);
    for (const id of [account.id, UNKNOWN, dead]) {
      expect([await eventsOf(gateway, async () => (answer = await clear(id))), answer]).toEqual([[], false]);
    }
  });
});

it('setTempUnschedulable only extends', async () => {
  await accounts.setTempUnschedulable(account.id, LATEST, 'long');
  expect(await accounts.setTempUnschedulable(account.id, LATER, 'short')).toBe(false);
  expect(await stored()).toMatchObject({ tempUnschedulableUntil: LATEST, tempUnschedulableReason: 'long' });
});

it('updateSessionWindow keeps what is left out', async () => {
  await accounts.updateSessionWindow(account.id, LATER, LATEST, 'allowed');
  await accounts.updateSessionWindow(account.id, null, undefined, 'rejected');
  expect(await stored()).toMatchObject({
    sessionWindowStart: LATER,
    sessionWindowEnd: LATEST,
    sessionWindowStatus: 'rejected',
  });
});

describe('last use', () => {
  it('is now, told with its second', async () => {
    const events = await eventsOf(gateway, () => accounts.updateLastUsed(account.id));
    const { lastUsedAt } = await stored();
    const seconds = Math.floor((lastUsedAt?.getTime() ?? 0) / 1000);
    expect(events).toMatchObject([
      {
        event_type: 'account_last_used',
        account_id: account.id,
        payload: { last_used: { [account.id]: seconds } },
      },
    ]);
    expect(await accounts.updateLastUsed(UNKNOWN)).toBe(false);
  });

  it('of several moves forward only, in one statement with one event', async () => {
    const other = await mustCreateAccount(gateway.em());
    await accounts.batchUpdateLastUsed(new Map([[account.id, LATEST]]));
    const times = new Map([
      [account.id, LATER],
      [other.id, LATER],
      [dead, LATER],
      [UNKNOWN, LATER],
    ]);
    let count: number | undefined;
    const events = await eventsOf(gateway, async () => {
      gateway.statements();
      count = await accounts.batchUpdateLastUsed(times);
      expect(gateway.statements()).toHaveLength(1);
    });
    const payload = { last_used: { [other.id]: Math.floor(LATER.getTime() / 1000) } };
    expect([count, events]).toMatchObject([
      1,
      [{ event_type: 'account_last_used', account_id: null, payload }],
    ]);
    expect([(await stored()).lastUsedAt, (await accounts.getById(other.id)).lastUsedAt]).toEqual([
      LATEST,
      LATER,
    ]);
    expect([await eventsOf(gateway, () => accounts.batchUpdateLastUsed(times))]).toEqual([[]]);
  });

  it('of none is no statement', async () => {
    gateway.statements();
    expect(await accounts.batchUpdateLastUsed(new Map())).toBe(0);
    expect(gateway.statements()).toEqual([]);
  });
});

it('autoPauseExpiredAccounts pauses what expires at the instant or before, and asks for a full rebuild once', async () => {
  const [at, before, after] = [LATER, new Date(LATER.getTime() - 1), new Date(LATER.getTime() + 1)];
  const paused = [
    await mustCreateAccount(gateway.em(), { expiresAt: at }),
    await mustCreateAccount(gateway.em(), { expiresAt: before }),
  ];
  const kept = [
    await mustCreateAccount(gateway.em(), { expiresAt: after }),
    await mustCreateAccount(gateway.em(), { expiresAt: before, autoPauseOnExpired: false }),
  ];
  let count: number | undefined;
  const run = async (): Promise<number> => (count = await accounts.autoPauseExpiredAccounts(at));
  expect([await eventsOf(gateway, run), count]).toMatchObject([
    [{ event_type: 'full_rebuild', account_id: null }],
    2,
  ]);
  const flags = (await accounts.getByIds([...paused, ...kept].map((one) => one.id))).map(
    (one) => one.schedulable,
  );
  expect(flags).toEqual([false, false, true, true]);
  expect([await eventsOf(gateway, run), count]).toEqual([[], 0]);
});

describe('autoPauseExpiredAccounts by several schedulers', () => {
  it('works batch by batch, counts each account once, and leaves one that is being changed to the next run', async () => {
    const expired: string[] = [];
    for (let n = 0; n < 11; n += 1)
      expired.push((await mustCreateAccount(gateway.em(), { expiresAt: new Date('2020-01-01') })).id);
    const run = () => gatewayRepositories(gateway.em()).accounts.autoPauseExpiredAccounts(new Date(), 2);
    let counts: number[] = [];
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).accounts.update({ id: expired[5] ?? '', name: 'being changed' });
      counts = await Promise.all([1, 2, 3, 4].map(run));
    });
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10);
    expect([await run(), await run()]).toEqual([1, 0]);
    expect((await accounts.getByIds(expired)).filter(({ schedulable }) => schedulable)).toEqual([]);
  });
});

describe('bindings', () => {
  it('are replaced, by position, and the event names old and new groups', async () => {
    const [a, b, c] = await Promise.all([1, 2, 3].map(async () => (await mustCreateGroup(gateway.em())).id));
    const ids = [a, b, c] as [string, string, string];
    await accounts.bindGroups(account.id, [ids[2], ids[0], ids[2]]);
    expect((await stored()).accountGroups).toMatchObject([
      { groupId: ids[2], priority: 1 },
      { groupId: ids[0], priority: 2 },
    ]);
    const groups = [...ids].toSorted((x, y) => Number(x) - Number(y));
    const replace = () => accounts.bindGroups(account.id, [ids[1]]);
    const payload = { group_ids: groups };
    expect(await eventsOf(gateway, replace)).toMatchObject([
      { event_type: 'account_groups_changed', account_id: account.id, payload },
    ]);
  });

  it('F18: that are all taken away are told of too, which the original forgets', async () => {
    const { id } = await mustCreateGroup(gateway.em());
    await accounts.bindGroups(account.id, [id]);
    const original = 'delete from account_groups where account_id = ? returning group_id';
    let unbound: object[] = [];
    const untold = await eventsOf(
      gateway,
      async () => (unbound = await gateway.rows(original, [account.id])),
    );
    expect([unbound, untold]).toEqual([[{ group_id: id }], []]);
    await accounts.bindGroups(account.id, [id]);
    expect(await eventsOf(gateway, () => accounts.bindGroups(account.id, []))).toMatchObject([
      { event_type: 'account_groups_changed', payload: { group_ids: [id] } },
    ]);
    expect((await stored()).accountGroups).toEqual([]);
  });

  it('F41: are added once and removed once; a second time is a code of the domain', async () => {
    const { id } = await mustCreateGroup(gateway.em());
    await accounts.addToGroup(account.id, id, 7);
    // What the original lets through is the driver’s own error, which names the row.
    const client = new Client({ connectionString: gateway.url });
    await client.connect();
    const original = 'insert into account_groups (account_id, group_id) values ($1, $2)';
    await expect(client.query(original, [account.id, id])).rejects.toMatchObject({
      code: '23505',
      detail: expect.stringContaining(`(${account.id}, ${id})`),
    });
    await client.end();
    const again = await eventsOf(gateway, () =>
      expect(accounts.addToGroup(account.id, id, 7)).rejects.toMatchObject({
        code: 'ACCOUNT_GROUP_EXISTS',
        status: 409,
      }),
    );
    expect(again).toEqual([]);
    const remove = () => accounts.removeFromGroup(account.id, id);
    expect(await eventsOf(gateway, remove)).toMatchObject([{ payload: { group_ids: [id] } }]);
    expect(await eventsOf(gateway, remove)).toEqual([]);
  });

  it('F13: to a deleted or unknown group are GROUP_NOT_FOUND and leave the old ones', async () => {
    const [live, gone] = [await mustCreateGroup(gateway.em()), await mustCreateGroup(gateway.em())];
    await gatewayRepositories(gateway.em()).groups.delete(gone.id);
    // The original's, which the foreign key lets pass.
    const original = 'insert into account_groups (account_id, group_id) values (?, ?) returning group_id';
    expect(await gateway.rows(original, [account.id, gone.id])).toEqual([{ group_id: gone.id }]);
    await accounts.bindGroups(account.id, [live.id]);
    for (const id of [gone.id, UNKNOWN]) {
      const refused = { code: 'GROUP_NOT_FOUND' };
      await expect(accounts.bindGroups(account.id, [live.id, id])).rejects.toMatchObject(refused);
      await expect(accounts.addToGroup(account.id, id, 1)).rejects.toMatchObject(refused);
    }
    expect((await stored()).groupIds).toEqual([live.id]);
  });

  it('of a missing or deleted account are ACCOUNT_NOT_FOUND', async () => {
    const { id } = await mustCreateGroup(gateway.em());
    for (const gone of [dead, UNKNOWN]) {
      const refused = { code: 'ACCOUNT_NOT_FOUND' };
      await expect(accounts.bindGroups(gone, [id])).rejects.toMatchObject(refused);
      await expect(accounts.addToGroup(gone, id, 1)).rejects.toMatchObject(refused);
    }
  });
});
