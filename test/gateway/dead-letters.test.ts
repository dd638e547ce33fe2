import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  consumeEvents,
  type EventConsumer,
  type GatewayRepositories,
  gatewayRepositories,
  OUTBOX_START,
  type SchedulerEventRecord,
} from 'tombstone/gateway';
import { untilSettled } from '../support/gateway-outbox.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const POISON = '3';

let gateway: Gateway;
let outbox: GatewayRepositories['schedulerOutbox'];
beforeAll(async () => {
  gateway = await openGateway();
  outbox = gatewayRepositories(gateway.em()).schedulerOutbox;
});
beforeEach(async () => {
  for (const table of ['scheduler_outbox', 'scheduler_outbox_watermarks', 'scheduler_outbox_failures'])
    await gateway.rows(`delete from ${table}`);
});
afterAll(() => gateway.close());

async function write(...accounts: string[]): Promise<void> {
  for (const account of accounts) await outbox.enqueue('account_changed', account);
  await untilSettled(gateway);
}

/** A consumer that cannot apply the events of some accounts, and what it has applied. */
function consumer(poison: readonly string[], more: Partial<EventConsumer> = {}) {
  const applied: string[] = [];
  const handle = (event: SchedulerEventRecord): void => {
    if (poison.includes(event.accountId ?? '')) throw new TypeError(`cannot apply ${event.accountId}`);
    applied.push(event.accountId ?? '');
  };
  return { applied, poll: () => consumeEvents(gateway.em(), { consumer: 'one', handle, ...more }) };
}

const deadLetters = async (name = 'one'): Promise<string[]> =>
  (await outbox.listDeadLetters(name)).map((letter) => letter.accountId ?? '');

describe('F20: an event that can never be applied', () => {
  it('stops the original’s reader for ever', async () => {
    await write('1', '2', POISON, '4');
    const applied: string[] = [];
    let last = '0';
    for (let poll = 0; poll < 10; poll += 1) {
      const events = await gateway.rows<{ id: string; account_id: string }>(
        'select id, account_id from scheduler_outbox where id > ? order by id limit 200',
        [last],
      );
      for (const event of events) {
        if (event.account_id === POISON) break;
        applied.push(event.account_id);
        last = event.id;
      }
    }
    expect(applied).toEqual(['1', '2']);
  });

  it('holds back the others until its last attempt, and is listed then, with the class of the error alone', async () => {
    await write('1', '2', POISON, '4');
    const { applied, poll } = consumer([POISON], { maxAttempts: 3 });
    for (const attempt of [1, 2]) {
      expect(await poll()).toMatchObject({ parked: 0, failed: { accountId: POISON } });
      expect([attempt, applied, await deadLetters()]).toEqual([attempt, ['1', '2'], []]);
    }
    expect(await poll()).toMatchObject({ handled: 1, parked: 1, failed: null });
    expect(applied).toEqual(['1', '2', '4']);
    expect(await outbox.listDeadLetters('one')).toMatchObject([
      { eventType: 'account_changed', accountId: POISON, attempts: 3, lastError: 'TypeError' },
    ]);
    const stored = await gateway.rows('select * from scheduler_outbox_failures');
    expect(JSON.stringify(stored)).not.toContain('cannot apply');
    expect(await poll()).toMatchObject({ handled: 0, parked: 0, failed: null });
  });

  it('is parked beside others, without a statement more for each that is applied', async () => {
    await write('1', POISON, '2', POISON, '4');
    const { applied, poll } = consumer([POISON], { maxAttempts: 1 });
    gateway.statements();
    expect(await poll()).toMatchObject({ handled: 3, parked: 2 });
    expect(applied).toEqual(['1', '2', '4']);
    // Watermark, its beginning, again; the events; before each dead letter what was applied, and it; the end.
    expect(gateway.statements()).toHaveLength(9);
    await write('5', '6', '7');
    gateway.statements();
    expect(await poll()).toMatchObject({ handled: 3 });
    expect(gateway.statements()).toHaveLength(3);
    // A poll of nothing writes nothing.
    await poll();
    expect(gateway.statements()).toHaveLength(2);
  });

  it('that is applied at last is none, and its attempts are forgotten with it', async () => {
    await write('1', POISON, '4');
    await consumer([POISON]).poll();
    await consumer([POISON]).poll();
    const healed = consumer([]);
    expect(await healed.poll()).toMatchObject({ handled: 2 });
    expect([healed.applied, await deadLetters()]).toEqual([[POISON, '4'], []]);
    const { position } = await healed.poll();
    expect(await outbox.deleteConsumedUpTo(position, 100, { graceSeconds: 0 })).toBe(3);
    expect(await gateway.rows('select * from scheduler_outbox_failures')).toEqual([]);
  });

  it('is counted for each consumer alone', async () => {
    await write(POISON);
    await consumer([POISON], { maxAttempts: 1 }).poll();
    const other = consumer([], { consumer: 'two', maxAttempts: 1 });
    expect(await other.poll()).toMatchObject({ handled: 1 });
    expect([await deadLetters(), await deadLetters('two')]).toEqual([[POISON], []]);
  });

  it('is not counted where another process of the consumer is past it', async () => {
    await write('1', '2');
    const [first, second] = await outbox.listAfter(OUTBOX_START);
    const fail = () =>
      outbox.recordFailure('one', first?.position ?? OUTBOX_START, new Error('x'), { maxAttempts: 2 });
    expect(await fail()).toBe('retry');
    await outbox.advanceWatermark('one', second?.position ?? OUTBOX_START);
    expect([await fail(), await deadLetters()]).toEqual(['passed', []]);
    expect(await outbox.recordFailure('one', { txid: '1', id: '99999999' }, new Error('x'))).toBe('passed');
  });

  it.each<[string, unknown, string]>([
    [
      'our own error',
      Object.assign(new RangeError('m'), { code: 'A_CODE', status: 400, retryable: false }),
      'RangeError A_CODE',
    ],
    ['a text', 'secret', 'String'],
    ['nothing', undefined, 'unknown'],
    ['an object without a class', Object.create(null), 'unknown'],
    [
      'a code that is no word',
      Object.assign(new Error('m'), { code: 'a b', status: 1, retryable: false }),
      'Error',
    ],
    [
      'a class with a text for a name',
      new (class extends Error {
        static override readonly name = 'row (1, x)';
      })(),
      'unknown',
    ],
    [
      'a class with a long name',
      new { ['E'.repeat(200)]: class extends Error {} }['E'.repeat(200)]!(),
      'E'.repeat(100),
    ],
  ])('is stored with the class of %s', async (_what, error, stored) => {
    await write('1');
    const [event] = await outbox.listAfter(OUTBOX_START);
    await outbox.recordFailure('one', event?.position ?? OUTBOX_START, error, { maxAttempts: 1 });
    expect((await outbox.listDeadLetters('one'))[0]?.lastError).toBe(stored);
  });
});

describe('F20: dead letters', () => {
  it('are put back as new events in their old order, once', async () => {
    await write('1', '2', '3', '4');
    const { applied, poll } = consumer(['1', '3', '4'], { maxAttempts: 1 });
    await poll();
    const letters = await outbox.listDeadLetters('one');
    expect(letters.map((letter) => letter.accountId)).toEqual(['1', '3', '4']);
    expect(
      (await outbox.listDeadLetters('one', { afterId: letters[0]?.id ?? null, limit: 1 })).map(
        (l) => l.accountId,
      ),
    ).toEqual(['3']);
    const ids = [letters[2]?.id ?? '', letters[0]?.id ?? ''];
    expect(await outbox.putBackDeadLetters('two', ids)).toBe(0);
    const counts = await Promise.all(
      [1, 2, 3, 4].map(() =>
        gatewayRepositories(gateway.em()).schedulerOutbox.putBackDeadLetters('one', ids),
      ),
    );
    expect(counts.toSorted()).toEqual([0, 0, 0, 2]);
    expect(await outbox.putBackDeadLetters('one', [])).toBe(0);
    await untilSettled(gateway);
    const healed = consumer([]);
    await healed.poll();
    expect([applied, healed.applied, await deadLetters()]).toEqual([['2'], ['1', '4'], ['3']]);
    const three = (await outbox.listDeadLetters('one'))[0]?.id ?? '';
    expect(await outbox.discardDeadLetters('one', [three])).toBe(1);
    expect([await outbox.discardDeadLetters('one', [three]), await deadLetters()]).toEqual([0, []]);
  });

  it('are put back with the transaction of the caller, or not at all', async () => {
    await write(POISON);
    await consumer([POISON], { maxAttempts: 1 }).poll();
    const [letter] = await outbox.listDeadLetters('one');
    const attempt = gateway.em().transactional(async (tx) => {
      expect(
        await gatewayRepositories(tx).schedulerOutbox.putBackDeadLetters('one', [letter?.id ?? '']),
      ).toBe(1);
      throw new Error('afterwards');
    });
    await expect(attempt).rejects.toThrow('afterwards');
    expect(await deadLetters()).toEqual([POISON]);
  });

  it('hold what no checked input may be, because the database copies it', async () => {
    await gateway.rows(
      `insert into scheduler_outbox (event_type, payload) values ('unknown', '[9007199254740993]')`,
    );
    await untilSettled(gateway);
    const fail = (): never => {
      throw new Error('what is it');
    };
    await consumer([], { handle: fail, maxAttempts: 1 }).poll();
    const [letter] = await outbox.listDeadLetters('one');
    await outbox.putBackDeadLetters('one', [letter?.id ?? '']);
    const events = await gateway.rows<{ payload: string }>(
      'select payload::text from scheduler_outbox order by id',
    );
    expect(events.map((event) => event.payload)).toEqual(['[9007199254740993]', '[9007199254740993]']);
  });

  it('outlive the pruning of their events and the consumer', async () => {
    await write('1', POISON, '4');
    const { poll } = consumer([POISON], { maxAttempts: 1 });
    const { position } = await poll();
    expect(await outbox.deleteConsumedUpTo(position, 100, { graceSeconds: 0 })).toBe(3);
    await outbox.forgetConsumer('one');
    expect([await outbox.maxId(), await deadLetters()]).toEqual(['0', [POISON]]);
    const [letter] = await outbox.listDeadLetters('one');
    expect(await outbox.putBackDeadLetters('one', [letter?.id ?? ''])).toBe(1);
  });
});

describe('F20: the grace period of pruning', () => {
  const age = (account: string, seconds: number) =>
    gateway.rows(
      'update scheduler_outbox set created_at = now() - make_interval(secs => ?) where account_id = ?',
      [seconds, account],
    );

  it('keeps what is younger, five minutes unless told', async () => {
    await write('1', '2', '3');
    await age('1', 301);
    await age('2', 61);
    const position = (await outbox.listAfter(OUTBOX_START)).at(-1)?.position ?? OUTBOX_START;
    expect(await outbox.deleteConsumedUpTo(position, 100)).toBe(1);
    expect(await outbox.deleteConsumedUpTo(position, 100, { graceSeconds: 600 })).toBe(0);
    expect(await outbox.deleteConsumedUpTo(position, 100, { graceSeconds: 60 })).toBe(1);
    expect((await outbox.listAfter(OUTBOX_START)).map((event) => event.accountId)).toEqual(['3']);
  });

  it('lets a reader begin that has no watermark yet, whose events go without it', async () => {
    const read = async (graceSeconds: number): Promise<number> => {
      await gateway.rows('delete from scheduler_outbox');
      const horizon = await outbox.horizon();
      await write('1', '2');
      const position = (await outbox.listAfter(OUTBOX_START)).at(-1)?.position ?? OUTBOX_START;
      await outbox.advanceWatermark('other', position);
      await outbox.deleteConsumedUpTo(position, 100, { graceSeconds });
      return (await outbox.listAfter(horizon)).length;
    };
    expect([await read(0), await read(300)]).toEqual([0, 2]);
  });
});

it.each<[string, Partial<EventConsumer> | null]>([
  ['nothing', null],
  ['no handler', { consumer: 'one' }],
  ['no name', { handle: () => {}, consumer: '' }],
  ['a limit of none', { handle: () => {}, consumer: 'one', limit: 0 }],
  ['no attempts', { handle: () => {}, consumer: 'one', maxAttempts: 0 }],
])('consumeEvents with %s is refused before any SQL', async (_what, reader) => {
  gateway.statements();
  await expect(consumeEvents(gateway.em(), reader as never)).rejects.toMatchObject({ code: 'VALIDATION' });
  expect(gateway.statements()).toEqual([]);
});
