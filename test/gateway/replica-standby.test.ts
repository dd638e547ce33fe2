import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import type { DataEntityManager } from 'tombstone';
import { gatewayRepositories, type GatewayRepositories, recordUsage, User } from 'tombstone/gateway';
import { mayReadReplica } from '../../src/kit/orm/index.ts';
import { type Arrivals, SERVICE, watchArrivals } from '../support/arrivals.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { migrateGateway } from '../support/migrate-gateway.ts';
import { hasStandby, type Pair, startPair } from '../support/standby.ts';
import type { Argument } from '../support/sweep-arguments.ts';
import { insertSweepRows, sweepCalls, type SweepRows } from '../support/sweep-calls.ts';
import { SWEEP_PLACES } from '../support/sweep-places.ts';

(hasStandby('lists and statistics on a real standby') ? describe : describe.skip)('a real standby', () => {
  let pair: Pair;
  let standby: Client;
  let service: Gateway;
  let arrivals: Arrivals;
  let rows: SweepRows;

  beforeAll(async () => {
    pair = await startPair();
    await migrateGateway(pair.primary);
    standby = new Client({ connectionString: pair.standby });
    standby.on('error', () => undefined);
    await standby.connect();
    service = await openGateway({
      url: pair.primary,
      replicas: [{ clientUrl: pair.standby }],
      driverOptions: { application_name: SERVICE },
    });
    arrivals = await watchArrivals({ primary: pair.primary, standby: pair.standby });
    rows = await insertSweepRows(service);
    await caughtUp();
  }, 120_000);
  afterAll(async () => {
    await service.close();
    await arrivals.close();
    await standby.end();
    await pair.stop();
  });

  const lists = (): GatewayRepositories => gatewayRepositories(service.em(), { reads: 'replica' });
  const holds = async (condition: string): Promise<boolean> =>
    (await standby.query<{ holds: boolean }>(`select ${condition} as holds`)).rows[0]?.holds === true;
  const position = async (): Promise<string> =>
    (await service.rows<{ at: string }>('select pg_current_wal_flush_lsn()::text as at'))[0]?.at ?? '';
  async function caughtUp(): Promise<void> {
    const at = await position();
    while (!(await holds(`pg_last_wal_replay_lsn() >= '${at}'`))) await sleep(10);
  }
  async function standStill(): Promise<void> {
    await caughtUp();
    await standby.query('select pg_wal_replay_pause()');
    while (!(await holds(`pg_get_wal_replay_pause_state() = 'paused'`))) await sleep(10);
  }

  it('is one: the connection for reading is in recovery, the other one is not', async () => {
    const em = service.em();
    const ask = 'select pg_is_in_recovery() as recovering';
    const [read] = await em.execute<object[]>(ask, [], { connectionType: 'read' } as never);
    const [write] = await em.execute<object[]>(ask);
    expect([read, write]).toEqual([{ recovering: true }, { recovering: false }]);
  });

  it('answers every list and all statistics itself, and nothing of them is refused there', async () => {
    const wrong: string[] = [];
    let answered = 0;
    for (const [repository, calls] of Object.entries(sweepCalls(rows))) {
      const places = (SWEEP_PLACES as Record<string, Record<string, string>>)[repository] ?? {};
      for (const [method, args] of Object.entries(calls as Record<string, readonly Argument[]>)) {
        if (places[method] !== 'replica') continue;
        const own = lists()[repository as 'users'] as unknown as Record<
          string,
          (...all: unknown[]) => Promise<unknown>
        >;
        const arrived = await arrivals.of(async () => own[method]?.(...args.map(({ valid }) => valid)));
        answered += 1;
        if (arrived.places.join() !== 'standby')
          wrong.push(`${repository}.${method}: ${arrived.places.join()}`);
      }
    }
    const all = Object.values(SWEEP_PLACES).flatMap((places) => Object.values(places as object) as string[]);
    expect([answered, wrong]).toEqual([all.filter((place) => place === 'replica').length, []]);
  });

  describe('that stands still', () => {
    beforeEach(standStill);
    afterEach(async () => {
      await standby.query('select pg_wal_replay_resume()');
    });

    /** A read that decides, what it says before and after a change, and the change. */
    const DECIDING: Record<
      string,
      {
        readonly read: (own: GatewayRepositories) => Promise<unknown>;
        readonly change: (em: DataEntityManager) => Promise<unknown>;
        readonly grant: (own: GatewayRepositories) => unknown;
        readonly stale: unknown;
        readonly right: unknown;
      }
    > = {
      'whether a deleted key still lets in': {
        read: async ({ apiKeys }) =>
          (await apiKeys.findByKeyForAuth(`SWEEP-SECRET of ${rows.name}`)) !== null,
        change: async (em) => gatewayRepositories(em).apiKeys.delete(rows.apiKey),
        grant: ({ apiKeys }) => mayReadReplica(apiKeys, ['findByKeyForAuth']),
        stale: true,
        right: false,
      },
      'whether a subscription that has ended still pays': {
        read: async ({ subscriptions }) =>
          (await subscriptions.findActiveByUserIdAndGroupId(rows.user, rows.group)) !== null,
        change: async (em) => gatewayRepositories(em).subscriptions.delete(rows.subscription),
        grant: ({ subscriptions }) => mayReadReplica(subscriptions, ['findActiveByUserIdAndGroupId']),
        stale: true,
        right: false,
      },
      'which balance a user has after a charge': {
        read: async ({ users }) => (await users.getById(rows.user)).balance,
        change: async (em) =>
          recordUsage(em, {
            userId: rows.user,
            apiKeyId: rows.apiKey,
            accountId: rows.account,
            model: 'm',
            totalCost: '1',
            actualCost: '1',
          }),
        grant: ({ users }) => mayReadReplica(users, ['getById']),
        stale: '0.0000000000',
        right: '-1.0000000000',
      },
      'which accounts may serve': {
        read: async ({ accounts }) => (await accounts.listSchedulable()).map(({ id }) => id),
        change: async (em) => gatewayRepositories(em).accounts.setSchedulable(rows.account, false),
        grant: ({ accounts }) => mayReadReplica(accounts, ['listSchedulable']),
        get stale() {
          return [rows.account];
        },
        right: [],
      },
      'what a setting says': {
        read: ({ settings }) => settings.findValue('limit'),
        change: async (em) => gatewayRepositories(em).settings.set('limit', '5'),
        grant: ({ settings }) => mayReadReplica(settings, ['findValue', 'find']),
        stale: null,
        right: '5',
      },
    };

    it.each(Object.entries(DECIDING))('%s is known by the primary', async (_name, deciding) => {
      const { read, change, grant } = deciding;
      await change(service.em());
      // Pointed to the standby, the same read gives the answer of before.
      const wrongly = lists();
      grant(wrongly);
      expect(await read(wrongly)).toEqual(deciding.stale);
      expect(await read(lists())).toEqual(deciding.right);
      expect(await read(gatewayRepositories(service.em()))).toEqual(deciding.right);
    });

    it('and a list shows what was there before, until the standby goes on', async () => {
      const { settings, users } = lists();
      const emails = async () => (await users.list({ pageSize: 100 })).items.map(({ email }) => email);
      const before = await emails();
      await users.create({ email: 'late@example.com', passwordHash: 'hash' });
      await settings.set('late', 'yes');
      expect(await emails()).toEqual(before);
      // A reader that has written before asks the primary, or reads in its transaction.
      const inTime = await gatewayRepositories(service.em()).users.list({ pageSize: 100 });
      expect(inTime.items[0]?.email).toBe('late@example.com');
      const joined = await service
        .em()
        .transactional((em) => gatewayRepositories(em, { reads: 'replica' }).users.list({ pageSize: 100 }));
      expect(joined.items[0]?.email).toBe('late@example.com');
      await standby.query('select pg_wal_replay_resume()');
      await caughtUp();
      expect(await emails()).toEqual(['late@example.com', ...before]);
    });

    it('and the layer looks for dead rows, referrers and hidden ones on the primary, before it writes', async () => {
      const em = service.em();
      const user = await gatewayRepositories(em).users.create({
        email: 'gone@example.com',
        passwordHash: 'hash',
      });
      await caughtUpIsImpossible();
      await gatewayRepositories(service.em()).users.delete(user.id);
      const own = service.em();
      expect(await own.skipSoftDelete((all) => all.find(User, { id: user.id }))).toEqual([]);
      expect(await own.getRepository(User).restoreByKey(user.id)).toBe(true);
      expect(await own.getRepository(User).softDelete(user.id)).toBe(true);
      expect(await own.getRepository(User).hardDelete(user.id)).toBe(true);
    });

    /** The row is not on the standby, so that whoever looks there does not find it. */
    async function caughtUpIsImpossible(): Promise<void> {
      expect(await holds(`not exists (select from users where email = 'gone@example.com')`)).toBe(true);
    }
  });

  it('that cancels a list, because it is in the way of the log, has it answered by the primary', async () => {
    await service.rows('alter table proxies rename to slow_proxies');
    await service.rows(
      `create view proxies as select * from slow_proxies where pg_sleep(case when pg_is_in_recovery() then 20 else 0 end) is not null`,
    );
    await caughtUp();
    await standby.query(`alter system set max_standby_streaming_delay = '100ms'`);
    await standby.query('select pg_reload_conf()');
    const answer = arrivals.of(async () => {
      const list = lists().proxies.listActive();
      await sleep(500);
      await service.rows('begin; lock table slow_proxies in access exclusive mode; commit');
      expect(await list).toHaveLength(1);
    });
    expect((await answer).places).toEqual(['primary', 'standby']);
    await service.rows('drop view proxies');
    await service.rows('alter table slow_proxies rename to proxies');
    await caughtUp();
  }, 60_000);

  it('that is killed has its lists answered by the primary, at once', async () => {
    const list = async () => (await lists().users.list()).items.length;
    expect(await list()).toBeGreaterThan(0);
    await pair.killStandby();
    const start = performance.now();
    expect(await list()).toBeGreaterThan(0);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});
