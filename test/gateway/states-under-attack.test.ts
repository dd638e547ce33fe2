import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  assignOrExtendSubscription,
  consumeEvents,
  type GatewayRepositories,
  gatewayRepositories,
  OUTBOX_START,
  type OutboxPosition,
  recordUsage,
  recordUsages,
} from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';
import { mustCreateAccount } from '../support/gateway-accounts.ts';
import { codeOf, DAY, inDays, mustCreateSubscription } from '../support/gateway-subscriptions.ts';
import { mustCreatePayer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 32 } });
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em(), { timeZone: 'UTC' });
const several = <T>(count: number, work: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => work(n)));

describe('a subscription', () => {
  it('keeps every day and every cost of 160 calls of eight kinds at once', async () => {
    const group = await mustCreateGroup(gateway.em(), { subscriptionType: 'subscription' });
    const payer = await mustCreatePayer(gateway.em());
    const { userId } = payer;
    const expiresAt = new Date(Date.now() - 5000);
    const { id } = await mustCreateSubscription(gateway.em(), { userId, groupId: group.id, expiresAt });
    const { subscriptions } = repositories();
    await subscriptions.checkWindows(id);
    const usage = usageOf(payer, { billingType: 1, subscriptionId: id, totalCost: '0.0000000003' });
    const calls: ((n: number) => Promise<unknown>)[] = [
      () => subscriptions.extendByDays(id, 2),
      () => assignOrExtendSubscription(gateway.em(), { userId, groupId: group.id, days: 3, notes: 'again' }),
      () => recordUsage(gateway.em(), usage),
      () => recordUsages(gateway.em(), [usage, usage]),
      () => subscriptions.incrementUsage(id, '0.0000000001'),
      () => subscriptions.batchUpdateExpiredStatus(),
      (n) => subscriptions.updateStatus(id, n % 3 ? 'active' : 'suspended'),
      () => subscriptions.checkWindows(id),
    ];
    const before = Date.now();
    const codes = await several(160, async (n) =>
      codeOf((calls[n % 8] as (n: number) => Promise<unknown>)(n)),
    );
    expect(new Set(codes)).toEqual(new Set(['done']));
    const found = await subscriptions.getById(id);
    // 20 times 3, 6 and 1 of the tenth decimal.
    expect([found.dailyUsageUsd, found.monthlyUsageUsd]).toEqual(['0.0000000200', '0.0000000200']);
    // 20 times 2 and 3 days, from the instant of the first that came.
    const days = (found.expiresAt.getTime() - before) / DAY;
    expect(days).toBeGreaterThan(99.99);
    expect(days).toBeLessThan(100.01);
    expect(found.notes.split('\n')).toHaveLength(20);
  });

  it('that is extended while the job looks at it ends active', async () => {
    for (let round = 0; round < 15; round += 1) {
      const { id } = await mustCreateSubscription(gateway.em(), { expiresAt: inDays(-1) });
      const { subscriptions } = repositories();
      await several(16, async (n): Promise<unknown> =>
        n % 2 ? subscriptions.extendByDays(id, 1) : subscriptions.batchUpdateExpiredStatus(),
      );
      const { status, expiresAt } = await subscriptions.getById(id);
      expect(status).toBe('active');
      expect(expiresAt.getTime()).toBeGreaterThan(Date.now() + 7.9 * DAY);
    }
  });
});

describe('an account', () => {
  it('keeps every key of 96 changes of six kinds at once', async () => {
    const { id } = await mustCreateAccount(gateway.em(), { extra: { kept: 1, gone: 1 } });
    const reset = new Date('2031-01-01T00:00:00Z');
    const scopes = ['claude', 'gemini_text', 'gemini_image'] as const;
    const { accounts } = repositories();
    const calls: ((n: number) => Promise<unknown>)[] = [
      (n) => accounts.updateExtra(id, { [`patch ${n}`]: n }),
      (n) => accounts.setModelRateLimit(id, `model ${n}`, reset),
      (n) => accounts.bulkUpdate([id], { extra: { [`bulk ${n}`]: n }, credentials: { [`bulk ${n}`]: n } }),
      (n) => accounts.update({ id, extra: { [`update ${n}`]: n }, removeExtra: ['gone'] }),
      (n) => accounts.setAntigravityQuotaScopeLimit(id, scopes[n % 3] ?? 'claude', reset),
      () => accounts.clearRateLimit(id),
    ];
    await several(96, (n) => (calls[n % 6] as (n: number) => Promise<unknown>)(n));
    const { extra, credentials } = await accounts.getById(id);
    const numbers = (first: number): number[] => Array.from({ length: 16 }, (_, n) => first + 6 * n);
    const { model_rate_limits: limits, antigravity_quota_scopes: quotas, ...rest } = extra;
    expect(Object.keys(rest).toSorted()).toEqual(
      [
        'kept',
        ...numbers(0).map((n) => `patch ${n}`),
        ...numbers(2).map((n) => `bulk ${n}`),
        ...numbers(3).map((n) => `update ${n}`),
      ].toSorted(),
    );
    expect(Object.keys(limits as object).toSorted()).toEqual(
      numbers(1)
        .map((n) => `model ${n}`)
        .toSorted(),
    );
    expect(Object.keys(quotas as object)).not.toEqual([]);
    expect(Object.keys(credentials).toSorted()).toEqual(
      numbers(2)
        .map((n) => `bulk ${n}`)
        .toSorted(),
    );
  });

  it('is paused until the latest of 64 instants, with its reason', async () => {
    const { id } = await mustCreateAccount(gateway.em());
    const first = Date.now() + DAY;
    const { accounts } = repositories();
    await several(64, (n) => {
      const place = (n * 37) % 64;
      return accounts.setTempUnschedulable(id, new Date(first + place * 1000), `reason ${place}`);
    });
    expect(await accounts.getById(id)).toMatchObject({
      tempUnschedulableUntil: new Date(first + 63_000),
      tempUnschedulableReason: 'reason 63',
    });
  });
});

describe('the outbox', () => {
  it('gives three consumers every event once and in order, from six kinds of writers, while it is pruned', async () => {
    const own = await openGateway({ pool: { min: 0, max: 24 } });
    const of = (): GatewayRepositories => gatewayRepositories(own.em());
    const group = await mustCreateGroup(own.em());
    const ids = (await several(12, () => mustCreateAccount(own.em()))).map(({ id }) => id);
    // What was stored, whatever is pruned of it.
    await own.rows('create table stored (id bigint, txid xid8)');
    await own.rows(`create function store() returns trigger language plpgsql as
      'begin insert into stored values (new.id, pg_current_xact_id()); return null; end'`);
    await own.rows('delete from scheduler_outbox');
    await own.rows(
      'create trigger stored after insert on scheduler_outbox for each row execute function store()',
    );

    // No event is shown behind a transaction that is open, of whatever database of the server.
    const isHeldBack = async (): Promise<boolean> => {
      const sql =
        'select exists (select from stored where txid >= pg_snapshot_xmin(pg_current_snapshot())) as held';
      return (await own.rows<{ held: boolean }>(sql))[0]?.held === true;
    };
    const written = new AbortController();
    const consumers = ['a', 'b', 'c'].map(async (consumer) => {
      const seen: string[] = [];
      const places: OutboxPosition[] = [];
      await of().schedulerOutbox.advanceWatermark(consumer, OUTBOX_START);
      for (let round = 0; ; round += 1) {
        const isLast = written.signal.aborted && !(await isHeldBack());
        const handle = (event: { id: string; position: OutboxPosition }): void => {
          seen.push(event.id);
          places.push(event.position);
        };
        const { handled, position } = await consumeEvents(own.em(), { consumer, handle, limit: 7 });
        if (round % 3 === 0) await of().schedulerOutbox.deleteConsumedUpTo(position, 5, { graceSeconds: 0 });
        if (isLast && handled === 0) return { seen, places };
      }
    });

    const slowly = async (n: number, id: string): Promise<unknown> =>
      own.em().transactional(async (tx) => {
        const { accounts } = gatewayRepositories(tx);
        await accounts.updateExtra(id, { n });
        await tx.execute('select pg_sleep(?)', [Math.random() / 50]);
        if (n % 2) throw new Error('taken back');
        await accounts.setOverloaded(id, new Date(Date.now() + n));
      });
    const kinds: ((n: number, id: string) => Promise<unknown>)[] = [
      (n, id) => of().accounts.setError(id, `error ${n}`),
      (n, id) => of().accounts.bindGroups(id, n % 2 ? [group.id] : []),
      slowly,
      (n) => of().accounts.bulkUpdate(ids, { priority: n }),
      () => of().accounts.batchUpdateLastUsed(new Map(ids.map((id) => [id, new Date()]))),
      (n) => of().groups.update({ id: group.id, description: `description ${n}` }),
    ];
    await several(200, (n) => codeOf((kinds[n % 6] as typeof slowly)(n, ids[(n * 7) % 12] ?? '')));
    written.abort();
    const results = await Promise.all(consumers);

    const stored = (await own.rows<{ id: string }>('select id from stored')).map(({ id }) => id);
    expect(stored.length).toBeGreaterThan(100);
    for (const { seen, places } of results) {
      expect(seen.toSorted()).toEqual(stored.toSorted());
      const order = ({ txid, id }: OutboxPosition): bigint => (BigInt(txid) << 64n) + BigInt(id);
      expect(places.map(order)).toEqual(places.map(order).toSorted((a, b) => (a < b ? -1 : 1)));
    }
    await own.close();
  });
});

describe.each(['repeatable read', 'serializable'])('a database whose transactions are %s', (level) => {
  it('charges each request of 64 callers once', async () => {
    const { url } = await cloneTestDatabase();
    const plain = await openGateway({ url });
    const [row] = await plain.rows<{ name: string }>('select quote_ident(current_database()) as name');
    await plain.rows(`alter database ${row?.name} set default_transaction_isolation = '${level}'`);
    await plain.close();
    const own = await openGateway({ url, pool: { min: 0, max: 32 } });
    const payer = await mustCreatePayer(own.em());
    const codes = new Set<unknown>();
    await several(64, async (n) => {
      const usage = usageOf(payer, { requestId: `r-${n % 32}`, actualCost: '0.0000000001' });
      // It is tried five times by itself; one that has lost them all is repeated, as after any error.
      for (let code: unknown; code !== 'done'; codes.add(code))
        code = await codeOf(recordUsage(own.em(), usage));
    });
    expect([...codes].filter((code) => code !== 'done' && code !== 'DATA.CONCURRENCY')).toEqual([]);
    expect(await sumsOf(own.em(), payer)).toMatchObject({
      logs: '32',
      charged: '0.0000000032',
      balance: '99.9999999968',
    });
    await own.close();
  });
});
