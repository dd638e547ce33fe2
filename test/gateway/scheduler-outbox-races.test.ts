import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type GatewayRepositories, gatewayRepositories, OUTBOX_START } from 'tombstone/gateway';
import { untilSettled } from '../support/gateway-outbox.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const WRITERS = 32;
const ROUNDS = 12;

const NO_GRACE = { graceSeconds: 0 };

let gateway: Gateway;
let clients: Client[];
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 4 } });
  clients = Array.from({ length: WRITERS }, () => new Client({ connectionString: gateway.url }));
  await Promise.all(clients.map((client) => client.connect()));
});
beforeEach(() => gateway.rows('delete from scheduler_outbox'));
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()));
  await gateway.close();
});

const outbox = (): GatewayRepositories['schedulerOutbox'] =>
  gatewayRepositories(gateway.em()).schedulerOutbox;
const INSERT = `insert into scheduler_outbox (event_type, account_id) values ('account_changed', $1) returning id`;

/** What the original's consumer reads: everything behind the largest id that it has seen. */
const originalAfter = (id: string): Promise<{ id: string; account_id: string }[]> =>
  gateway.rows('select id, account_id from scheduler_outbox where id > ? order by id limit 100', [id]);

async function pollSettled(from = OUTBOX_START): ReturnType<typeof poll> {
  await untilSettled(gateway);
  return poll(from);
}

/** Reads what there is behind `from`, and answers the accounts and where it stands then. */
async function poll(from = OUTBOX_START): Promise<{ accounts: unknown[]; position: typeof OUTBOX_START }> {
  const events = await outbox().listAfter(from);
  return { accounts: events.map((event) => event.accountId), position: events.at(-1)?.position ?? from };
}

describe('F19: two transactions, of which the one with the smaller id commits last', () => {
  const [slow, fast] = [() => clients[0] as Client, () => clients[1] as Client];
  const interleave = async (whileOpen: () => Promise<void>): Promise<void> => {
    await slow().query('begin');
    await slow().query(INSERT, ['1']);
    await fast().query(INSERT, ['2']);
    await whileOpen();
    await slow().query('commit');
  };

  it('lose the slower event where a reader only remembers the id', async () => {
    let last = '0';
    const read: string[] = [];
    const look = async (): Promise<void> => {
      for (const row of await originalAfter(last)) {
        read.push(row.account_id);
        last = row.id;
      }
    };
    await interleave(look);
    await look();
    expect(read).toEqual(['2']);
  });

  it('are read in one order, once the slower one has committed', async () => {
    await interleave(async () => expect((await poll()).accounts).toEqual([]));
    const { accounts, position } = await pollSettled();
    expect(accounts).toEqual(['1', '2']);
    expect((await pollSettled(position)).accounts).toEqual([]);
  });

  it('are read without the slower one, once that is rolled back', async () => {
    await slow().query('begin');
    await slow().query(INSERT, ['1']);
    await fast().query(INSERT, ['2']);
    await slow().query('rollback');
    expect((await pollSettled()).accounts).toEqual(['2']);
  });

  it('are in the order of their transactions, also where the ids are not', async () => {
    // The first transaction begins to write before the second one, and enqueues after it.
    await slow().query('begin');
    await slow().query('select pg_current_xact_id()');
    await fast().query(INSERT, ['2']);
    expect((await poll()).accounts).toEqual([]);
    await slow().query(INSERT, ['1']);
    await slow().query('commit');
    const { accounts, position } = await pollSettled();
    expect(accounts).toEqual(['1', '2']);
    expect((await pollSettled(position)).accounts).toEqual([]);
  });

  it('lose one where a reader orders by id and only waits for older transactions', async () => {
    // The guard without the order: what is settled is not yet all that has a smaller id.
    const settled = (id: string): Promise<{ id: string; account_id: string }[]> =>
      gateway.rows(
        `select id, account_id from scheduler_outbox
         where id > ? and txid < pg_snapshot_xmin(pg_current_snapshot()) order by id`,
        [id],
      );
    await fast().query('begin');
    await fast().query('select pg_current_xact_id()');
    await slow().query('begin');
    await slow().query(INSERT, ['1']);
    await fast().query(INSERT, ['2']);
    await fast().query('commit');
    await untilSettled(gateway);
    const seen = await settled('0');
    expect(seen.map((row) => row.account_id)).toEqual(['2']);
    const { accounts, position } = await pollSettled();
    expect(accounts).toEqual(['2']);
    await slow().query('commit');
    expect(await settled(seen[0]?.id ?? '')).toEqual([]);
    expect((await pollSettled(position)).accounts).toEqual(['1']);
  });

  it('hold back the events of savepoints until the whole transaction has ended', async () => {
    await slow().query('begin');
    await slow().query('savepoint one');
    await slow().query(INSERT, ['1']);
    await slow().query('release savepoint one');
    await slow().query('savepoint two');
    await slow().query(INSERT, ['3']);
    await slow().query('rollback to savepoint two');
    await fast().query(INSERT, ['2']);
    expect((await poll()).accounts).toEqual([]);
    await slow().query('commit');
    expect((await pollSettled()).accounts).toEqual(['1', '2']);
  });
});

/** Transactions of one writer, with pauses and roll-backs; answers the accounts of those that committed. */
async function writes(client: Client, writer: number): Promise<string[]> {
  const committed: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const accounts = [1, 2].map((n) => String(writer * 1000 + round * 10 + n));
    await client.query('begin');
    await sleep(Math.random() * 4);
    for (const account of accounts) {
      await client.query(INSERT, [account]);
      await sleep(Math.random() * 6);
    }
    const isKept = Math.random() < 0.75;
    await client.query(isKept ? 'commit' : 'rollback');
    if (isKept) committed.push(...accounts);
  }
  return committed;
}

describe(`F19: ${WRITERS} writers with pauses and roll-backs, and one reader that polls`, () => {
  it('reads every committed event once, and the same order again', async () => {
    let isWriting = true;
    const writing = Promise.all(clients.map(writes)).finally(() => (isWriting = false));
    const read: string[] = [];
    const naive = new Set<string>();
    let [position, naiveLast] = [OUTBOX_START, '0'];
    for (let isLast = false; !isLast;) {
      isLast = !isWriting;
      if (isLast) await untilSettled(gateway);
      // The original's reader looks at the same time, as the control.
      for (const row of await originalAfter(naiveLast)) {
        naive.add(row.account_id);
        naiveLast = row.id;
      }
      for (let isMore = true; isMore;) {
        const events = await outbox().listAfter(position, 50);
        read.push(...events.map((event) => String(event.accountId)));
        position = events.at(-1)?.position ?? position;
        isMore = events.length === 50;
      }
    }
    const committed = (await writing).flat();
    expect(read.toSorted()).toEqual(committed.toSorted());
    expect(new Set(read).size).toBe(read.length);
    expect(committed.filter((account) => !naive.has(account)).length).toBeGreaterThan(0);

    const again: string[] = [];
    for (let from = OUTBOX_START; again.length < read.length;) {
      const events = await outbox().listAfter(from, 7);
      again.push(...events.map((event) => String(event.accountId)));
      from = events.at(-1)?.position ?? from;
    }
    expect(again).toEqual(read);
  });

  it('F20: prunes at the same time without taking an event away', async () => {
    let isWriting = true;
    const writing = Promise.all(clients.map(writes)).finally(() => (isWriting = false));
    const read: string[] = [];
    let position = OUTBOX_START;
    for (let isLast = false; !isLast;) {
      isLast = !isWriting;
      if (isLast) await untilSettled(gateway);
      const events = await outbox().listAfter(position, 10_000);
      read.push(...events.map((event) => String(event.accountId)));
      position = events.at(-1)?.position ?? position;
      await outbox().advanceWatermark('reader', position);
      await Promise.all([1, 2].map(() => outbox().deleteConsumedUpTo(position, 20, NO_GRACE)));
    }
    while ((await outbox().deleteConsumedUpTo(position, 200, NO_GRACE)) > 0);
    expect(read.toSorted()).toEqual((await writing).flat().toSorted());
    expect(await outbox().maxId()).toBe('0');
  });
});
