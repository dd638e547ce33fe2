import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  type GatewayRepositories,
  gatewayRepositories,
  OUTBOX_START,
  type OutboxPosition,
} from 'tombstone/gateway';
import { untilSettled } from '../support/gateway-outbox.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const NO_GRACE = { graceSeconds: 0 };

let gateway: Gateway;
let outbox: GatewayRepositories['schedulerOutbox'];
beforeAll(async () => {
  gateway = await openGateway();
  outbox = gatewayRepositories(gateway.em()).schedulerOutbox;
});
beforeEach(async () => {
  await gateway.rows('delete from scheduler_outbox');
  await gateway.rows('delete from scheduler_outbox_watermarks');
});
afterAll(() => gateway.close());

const idsAfter = async (after: OutboxPosition, limit?: number): Promise<string[]> => {
  await untilSettled(gateway);
  return (await outbox.listAfter(after, limit)).map((event) => String(event.accountId ?? event.groupId));
};

/** As many events, each of a transaction of its own, with the account ids from 1. */
async function write(count: number): Promise<void> {
  for (let n = 1; n <= count; n += 1) await outbox.enqueue('account_changed', String(n));
  await untilSettled(gateway);
}

describe('events', () => {
  it('are read as they were written', async () => {
    await outbox.enqueue('account_groups_changed', '7', null, { group_ids: ['1', 2], left: undefined });
    await outbox.enqueue('full_rebuild');
    await untilSettled(gateway);
    expect(await outbox.listAfter(OUTBOX_START)).toMatchObject([
      {
        eventType: 'account_groups_changed',
        accountId: '7',
        groupId: null,
        payload: { group_ids: ['1', 2] },
      },
      {
        eventType: 'full_rebuild',
        accountId: null,
        groupId: null,
        payload: null,
        createdAt: expect.any(Date),
      },
    ]);
  });

  it('are in the transaction of the caller, which does not read what is not settled', async () => {
    const attempt = gateway.em().transactional(async (tx) => {
      const own = gatewayRepositories(tx).schedulerOutbox;
      await own.enqueue('group_changed', null, '3');
      expect([await own.listAfter(OUTBOX_START), await own.maxId()]).toEqual([
        [],
        expect.not.stringMatching(/^0$/),
      ]);
      throw new Error('afterwards');
    });
    await expect(attempt).rejects.toThrow('afterwards');
    expect([await outbox.maxId(), await idsAfter(OUTBOX_START)]).toEqual(['0', []]);
  });

  it('come in pages, each behind the position of the last event', async () => {
    await write(5);
    const [, second] = await outbox.listAfter(OUTBOX_START, 2);
    expect(await idsAfter(second?.position ?? OUTBOX_START, 2)).toEqual(['3', '4']);
    expect(await idsAfter(second?.position ?? OUTBOX_START)).toEqual(['3', '4', '5']);
  });

  it.each([[0], [-1], [undefined]])('are 100 when the limit is %p', async (limit) => {
    await gateway.rows(`insert into scheduler_outbox (event_type) select 'x' from generate_series(1, 120)`);
    await untilSettled(gateway);
    expect(await outbox.listAfter(OUTBOX_START, limit)).toHaveLength(100);
  });

  it('of a program that does not know the column are ordered too, and those before the column come first', async () => {
    await write(1);
    // What the table holds after the migration of rows that were there before.
    await gateway.rows(
      `insert into scheduler_outbox (event_type, account_id, txid) values ('x', 9, '0'), ('x', 8, '0')`,
    );
    await gateway.rows(`insert into scheduler_outbox (event_type, account_id) values ('unknown type', 2)`);
    expect(await idsAfter(OUTBOX_START)).toEqual(['9', '8', '1', '2']);
    const [row] = await gateway.rows<{ id: string }>(`select id from scheduler_outbox where account_id = 9`);
    expect(await idsAfter({ txid: '0', id: row?.id ?? '' })).toEqual(['8', '1', '2']);
  });

  it.each<[string, () => Promise<unknown>]>([
    ['a position that is an id', () => outbox.listAfter('7' as never)],
    ['no position', () => outbox.listAfter(null as never)],
    ['a negative position', () => outbox.listAfter({ txid: '-1', id: '0' })],
    ['a position past 64 bits', () => outbox.listAfter({ txid: '18446744073709551616', id: '0' })],
    ['a limit that is no number', () => outbox.listAfter(OUTBOX_START, '1' as never)],
    ['an event without type', () => outbox.enqueue('' as never)],
    ['a payload that JSON cannot hold', () => outbox.enqueue('full_rebuild', null, null, { n: Number.NaN })],
    ['a payload with a NUL', () => outbox.enqueue('full_rebuild', null, null, { n: 'a\0b' })],
    ['a payload that is a Map', () => outbox.enqueue('full_rebuild', null, null, new Map() as never)],
    ['a consumer without name', () => outbox.watermark('')],
    ['a batch of nothing', () => outbox.deleteConsumedUpTo(OUTBOX_START, 0)],
  ])('are not asked for or written with %s', async (_what, attempt) => {
    gateway.statements();
    await expect(attempt()).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });
});

describe('the watermark of a consumer', () => {
  it('is stored in the database, for each consumer, and never moves back', async () => {
    expect(await outbox.watermark('a')).toBeNull();
    expect(await outbox.advanceWatermark('a', { txid: '9', id: '2' })).toBe(true);
    expect(await outbox.advanceWatermark('a', { txid: '10', id: '1' })).toBe(true);
    expect(await outbox.advanceWatermark('a', { txid: '9', id: '99' })).toBe(false);
    expect(await outbox.advanceWatermark('a', { txid: '10', id: '1' })).toBe(false);
    expect([await outbox.watermark('a'), await outbox.watermark('b')]).toEqual([
      { txid: '10', id: '1' },
      null,
    ]);
  });

  it('goes with the roll-back of its transaction', async () => {
    const attempt = gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).schedulerOutbox.advanceWatermark('a', { txid: '9', id: '2' });
      throw new Error('afterwards');
    });
    await expect(attempt).rejects.toThrow('afterwards');
    expect(await outbox.watermark('a')).toBeNull();
  });

  it('that is the horizon gives what is written from then on', async () => {
    await write(3);
    const horizon = await outbox.horizon();
    expect(await idsAfter(horizon)).toEqual([]);
    await outbox.enqueue('account_changed', '4');
    expect(await idsAfter(horizon)).toEqual(['4']);
  });
});

describe('F20: pruning', () => {
  it('removes what was consumed, batch by batch, and nothing behind the watermark', async () => {
    await write(5);
    const fourth = (await outbox.listAfter(OUTBOX_START))[3]?.position ?? OUTBOX_START;
    expect(await outbox.deleteConsumedUpTo(fourth, 3, NO_GRACE)).toBe(3);
    expect(await idsAfter(OUTBOX_START)).toEqual(['4', '5']);
    expect(await outbox.deleteConsumedUpTo(fourth, 3, NO_GRACE)).toBe(1);
    expect(await outbox.deleteConsumedUpTo(fourth, 3, NO_GRACE)).toBe(0);
    expect(await idsAfter(OUTBOX_START)).toEqual(['5']);
  });

  it('keeps what another consumer has not read, until that one is forgotten', async () => {
    await write(3);
    const positions = (await outbox.listAfter(OUTBOX_START)).map((event) => event.position);
    const [first, , third] = positions as [OutboxPosition, OutboxPosition, OutboxPosition];
    await outbox.advanceWatermark('slow', first);
    await outbox.advanceWatermark('fast', third);
    expect(await outbox.deleteConsumedUpTo(third, 100, NO_GRACE)).toBe(1);
    expect(await outbox.forgetConsumer('slow')).toBe(true);
    expect(await outbox.forgetConsumer('slow')).toBe(false);
    expect(await outbox.deleteConsumedUpTo(third, 100, NO_GRACE)).toBe(2);
  });
});

it('a poll is a range of one index, whatever is kept before it', async () => {
  await gateway.rows(`insert into scheduler_outbox (event_type, txid)
    select 'x', (n / 10)::text::xid8 from generate_series(1, 20000) n`);
  await gateway.rows('analyze scheduler_outbox');
  gateway.statements();
  await gatewayRepositories(gateway.em()).schedulerOutbox.horizon();
  expect(gateway.statements()).toHaveLength(1);
  // Inside a transaction the text of the statement is in the log, with its values.
  await gateway
    .em()
    .transactional((tx) => gatewayRepositories(tx).schedulerOutbox.listAfter({ txid: '1000', id: '5' }, 200));
  const [sql, ...others] = gateway.statements();
  expect(others).toEqual([]);
  const rows = await gateway.rows<{ 'QUERY PLAN': string }>(`explain ${sql?.replace(/ \[took .*$/s, '')}`);
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect(plan).toMatch(/Index Scan using idx_scheduler_outbox_txid_id/);
  expect(plan).toMatch(/Index Cond: .*ROW\(txid, id\) > .*txid < pg_snapshot_xmin/s);
  expect(plan).not.toMatch(/Seq Scan|Sort|Filter/);
});
