import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Client } from 'pg';
import { type DataEntityManager, defineDataConfig } from 'tombstone';
import { gatewayRepositories, type GatewayRepositories } from 'tombstone/gateway';
import { DataConnection } from '../../src/kit/orm/data-connection.ts';
import { mayReadReplica, replicaPatienceOf } from '../../src/kit/orm/index.ts';
import { cloneTestDatabase } from '../support/database.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';
import { openRelay, type Relay } from '../support/relay.ts';

// A second database stands for the replica, at the end of a way that can break. Its rows differ, so that each answer tells
// where it comes from.

let urls: { primary: string; replica: string };
let relay: Relay;
let service: Gateway;
let blocker: Client;

beforeAll(async () => {
  urls = { primary: (await cloneTestDatabase()).url, replica: (await cloneTestDatabase()).url };
  for (const [name, url] of Object.entries(urls)) {
    const own = await openGateway({ url });
    await gatewayRepositories(own.em()).proxies.create({ name, protocol: 'http', host: 'host', port: 80 });
    await own.close();
  }
  blocker = new Client({ connectionString: urls.replica });
  await blocker.connect();
});
afterAll(() => blocker.end());
beforeEach(async () => {
  relay = await openRelay(urls.replica);
  service = await openService();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await blocker.query('rollback');
  await service.close();
  await relay.stop();
});

// The defaults are 5000, 2000 and 5000: a fifth of the time for the same.
const PATIENCE = { askAfterMs: 1000, answerWithinMs: 400, restMs: 1000 };
const NOTICED_MS = PATIENCE.askAfterMs + PATIENCE.answerWithinMs;

const openService = (options: Partial<Parameters<typeof openGateway>[0]> = {}): Promise<Gateway> =>
  openGateway({
    url: urls.primary,
    replicas: [{ clientUrl: relay.url }],
    replicaPatience: PATIENCE,
    ...options,
  });

const lists = (em: DataEntityManager): GatewayRepositories => gatewayRepositories(em, { reads: 'replica' });
const asked = async (own: Gateway = service): Promise<string> =>
  (await lists(own.em()).proxies.list()).items.map(({ name }) => name).join();
const warnings = (): string[] => service.statements().filter((line) => line.includes('Read replica'));
const SLOW = 'begin; lock table proxies in access exclusive mode';

async function timed<T>(work: Promise<T>): Promise<[T, number]> {
  const start = performance.now();
  return [await work, performance.now() - start];
}

describe('a replica that refuses connections', () => {
  it('is passed over, with one warning that names neither its address nor a password', async () => {
    expect(await asked()).toBe('replica');
    await relay.cut();
    expect([await asked(), await asked(), await asked()]).toEqual(['primary', 'primary', 'primary']);
    const [warning = '', ...more] = warnings();
    expect(more).toEqual([]);
    expect(warning).toContain('Read replica 1 of the configuration does not answer');
    expect(warning).toContain('Start it, or take it out of the configuration.');
    expect(warning).not.toContain(new URL(relay.url).port);
  });

  it('is asked again after its rest', async () => {
    await relay.cut();
    expect(await asked()).toBe('primary');
    await relay.mend();
    expect(await asked()).toBe('primary');
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + PATIENCE.restMs + 1);
    expect(await asked()).toBe('replica');
  });

  it('does not keep a service from starting, nor from ending', async () => {
    await relay.cut();
    const own = await openService();
    expect(await asked(own)).toBe('primary');
    await own.close();
  });

  it('is passed over also where its database is missing', async () => {
    const wrong = new URL(urls.replica);
    wrong.pathname = '/there_is_none';
    const own = await openService({ replicas: [{ clientUrl: wrong.href }] });
    expect(await asked(own)).toBe('primary');
    await own.close();
  });

  it('is not waited for by anything that runs on the primary anyway', async () => {
    await relay.cut();
    const { proxies } = lists(service.em());
    expect((await proxies.findById('1'))?.name).toBe('primary');
    expect(warnings()).toEqual([]);
  });
});

describe('a replica that ends while a list runs there', () => {
  it('the list runs again on the primary', async () => {
    await blocker.query(SLOW);
    const answer = asked();
    await sleep(200);
    await relay.cut();
    expect(await answer).toBe('primary');
    expect(warnings()).toHaveLength(1);
  });
});

describe('a replica that says nothing any more', () => {
  it('is noticed after one question that it does not answer, by lists on open sessions and by those that open one', async () => {
    expect(await asked()).toBe('replica');
    relay.freeze();
    const [answers, took] = await timed(Promise.all([asked(), asked(), asked()]));
    expect(answers).toEqual(['primary', 'primary', 'primary']);
    expect(took).toBeGreaterThan(NOTICED_MS - 100);
    expect(took).toBeLessThan(NOTICED_MS + 2000);
    expect(warnings()).toHaveLength(1);
    const [again, atOnce] = await timed(asked());
    expect([again, atOnce < 600]).toEqual(['primary', true]);
  }, 30_000);

  it('would be waited for for ever, were it not asked', async () => {
    const end = jest.spyOn(DataConnection.prototype, 'endIfSilent').mockResolvedValue();
    expect(await asked()).toBe('replica');
    relay.freeze();
    const answer = asked();
    const first = await Promise.race([answer, sleep(NOTICED_MS + 500, 'nothing')]);
    expect(first).toBe('nothing');
    end.mockRestore();
    expect(await answer).toBe('primary');
  }, 40_000);

  it('is noticed as early by those that wait for one session', async () => {
    const own = await openService({ replicas: [{ clientUrl: relay.url, pool: { max: 1 } }] });
    expect(await asked(own)).toBe('replica');
    relay.freeze();
    const [answers, took] = await timed(Promise.all(Array.from({ length: 8 }, () => asked(own))));
    expect([...new Set(answers)]).toEqual(['primary']);
    expect(took).toBeLessThan(NOTICED_MS + 2000);
    await own.close();
  }, 40_000);

  it('a service ends also then', async () => {
    const own = await openService();
    expect(await asked(own)).toBe('replica');
    relay.freeze();
    const answer = asked(own);
    expect(await answer).toBe('primary');
    const [, took] = await timed(own.close());
    expect(took).toBeLessThan(2000);
  }, 30_000);
});

describe('a list that is slow on a replica that is there', () => {
  it('is waited for', async () => {
    await blocker.query(SLOW);
    const answer = asked();
    await sleep(NOTICED_MS + 500);
    await blocker.query('rollback');
    expect(await answer).toBe('replica');
    expect(warnings()).toEqual([]);
  }, 30_000);

  it('fails by the statement_timeout that the replica has, and does not burden the primary', async () => {
    const own = await openService({
      replicas: [{ clientUrl: relay.url, driverOptions: { statement_timeout: 300 } }],
    });
    await blocker.query(SLOW);
    await expect(asked(own)).rejects.toMatchObject({ code: 'DATA.TIMEOUT', sqlState: '57014' });
    await own.close();
  });
});

describe('a replica that has not got what a migration made', () => {
  it('is passed over for this call only', async () => {
    await blocker.query('alter table proxies rename to proxies_later');
    expect(await asked()).toBe('primary');
    await blocker.query('alter table proxies_later rename to proxies');
    expect(await asked()).toBe('replica');
    expect(warnings()).toEqual([]);
  });
});

describe('an error that is none of the replica', () => {
  it('goes to the caller, who asked for something wrong', async () => {
    const { usageLogs } = lists(service.em());
    await expect(usageLogs.listByUser('x')).rejects.toMatchObject({ code: 'VALIDATION' });
  });

  it('a write among the lists would be refused there, and is not sent to the primary', async () => {
    const name = new URL(urls.replica).pathname.slice(1);
    await blocker.query(`alter database "${name}" set default_transaction_read_only = on`);
    const { users } = gatewayRepositories(service.em());
    mayReadReplica(users, ['updateConcurrency']);
    const refused = users.updateConcurrency('1', 1);
    await expect(refused).rejects.toMatchObject({ code: 'DATA.QUERY', sqlState: '25006' });
    await blocker.query(`alter database "${name}" reset default_transaction_read_only`);
  });
});

describe('a primary that is not there', () => {
  it('does not keep the replica from answering lists, and everything else fails', async () => {
    const way = await openRelay(urls.primary);
    const own = await openService({ url: way.url, replicas: [{ clientUrl: urls.replica }] });
    await way.cut();
    expect(await asked(own)).toBe('replica');
    const { proxies } = lists(own.em());
    await expect(proxies.findById('1')).rejects.toMatchObject({ code: 'DATA.UNAVAILABLE' });
    await own.close().catch(() => undefined);
  });
});

describe('two replicas', () => {
  it('one of them answers the whole of a call: the page, and the total that belongs to it', async () => {
    const other = (await cloneTestDatabase()).url;
    const own = await openService({ replicas: [{ clientUrl: urls.replica }, { clientUrl: other }] });
    const pages = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const { items, total } = await lists(own.em()).proxies.listWithFiltersAndAccountCount({}, {});
        return `${items.length} of ${total}`;
      }),
    );
    // The second database has none, and would give pages without the rows that the total counts.
    expect([...new Set(pages)].toSorted()).toEqual(['0 of 0', '1 of 1']);
    await own.close();
  });

  it('the second one answers when the first is not there', async () => {
    const own = await openService({ replicas: [{ clientUrl: relay.url }, { clientUrl: urls.replica }] });
    await relay.cut();
    const answers = await Promise.all(Array.from({ length: 20 }, () => asked(own)));
    expect(answers).toContain('replica');
    const later = [await asked(own), await asked(own), await asked(own), await asked(own)];
    expect(later).toEqual(['replica', 'replica', 'replica', 'replica']);
    await own.close();
  });
});

describe('the patience', () => {
  it('is five seconds, two and five where the configuration says nothing, or only a part', async () => {
    const defaults = { askAfterMs: 5000, answerWithinMs: 2000, restMs: 5000 };
    const silent = await openService({ replicaPatience: undefined });
    expect(replicaPatienceOf(silent.orm.config)).toEqual(defaults);
    await silent.close();
    const partly = await openService({ replicaPatience: { restMs: 7, askAfterMs: undefined } });
    expect(replicaPatienceOf(partly.orm.config)).toEqual({ ...defaults, restMs: 7 });
    await partly.close();
  });

  it('asks as late as it is told, and rests as long', async () => {
    const own = await openService({
      replicaPatience: { askAfterMs: 200, answerWithinMs: 100, restMs: 60_000 },
    });
    expect(await asked(own)).toBe('replica');
    relay.freeze();
    const [answer, took] = await timed(asked(own));
    expect([answer, took > 290, took < NOTICED_MS]).toEqual(['primary', true, true]);
    expect(own.statements().join()).toContain('For 60 s, lists');
    const now = performance.now();
    jest.spyOn(performance, 'now').mockReturnValue(now + 50_000);
    expect(await asked(own)).toBe('primary');
    await own.close();
  });

  it.each<[unknown, string]>([
    [{ askAfterMs: 0 }, 'replicaPatience.askAfterMs must be a whole number from 1 to 600000'],
    [{ answerWithinMs: -1 }, 'replicaPatience.answerWithinMs must be'],
    [{ restMs: 1.5 }, 'replicaPatience.restMs must be'],
    [{ restMs: '5000' }, 'replicaPatience.restMs must be'],
    [{ restMs: null }, 'replicaPatience.restMs must be'],
    [{ askAfterMs: Number.NaN }, 'replicaPatience.askAfterMs must be'],
    [{ askAfterMs: 2 ** 31 }, 'replicaPatience.askAfterMs must be'],
    [{ askAfter: 5000 }, 'replicaPatience must be an object of askAfterMs, answerWithinMs, restMs'],
    [{ toString: 5000 }, 'replicaPatience must be an object of'],
    [5000, 'replicaPatience must be an object of'],
    [null, 'replicaPatience must be an object of'],
  ])('%p is refused before anything is opened', (replicaPatience, sentence) => {
    const clientUrl = urls.primary;
    const given = { clientUrl, modules: [], replicaPatience: replicaPatience as object };
    expect(() => defineDataConfig(given)).toThrow(sentence);
    expect(() => defineDataConfig(given)).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
  });
});

describe('the option', () => {
  it('refuses a word that is none', () => {
    expect(() => gatewayRepositories(service.em(), { reads: 'replicas' as 'replica' })).toThrow(
      'be "primary" or "replica"',
    );
  });

  it('without a replica in the configuration changes nothing', async () => {
    const own = await openGateway({ url: urls.primary });
    expect(await asked(own)).toBe('primary');
    await own.close();
  });
});
