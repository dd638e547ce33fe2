import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataEntityManager, runPrepared } from 'tombstone';
import {
  applyPromo,
  assignOrExtendSubscription,
  completeSoraTask,
  deleteGroupCascade,
  gatewayRepositories,
  type GatewayOptions,
  recordUsage,
  recordUsages,
  redeem,
  User,
  verifyAllowedGroups,
} from 'tombstone/gateway';
import { createTestDatabase } from '../../src/kit/testing/index.ts';
import { type Arrivals, SERVICE, watchArrivals } from '../support/arrivals.ts';
import { cloneTestDatabase, testServer } from '../support/database.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';
import type { Argument } from '../support/sweep-arguments.ts';
import { IN_TRANSACTION, insertSweepRows, sweepCalls, type SweepRows } from '../support/sweep-calls.ts';
import { SWEEP_OPTIONS } from '../support/sweep-sora-calls.ts';
import { methodsOf } from '../support/sweep-methods.ts';
import { SWEEP_PLACES, type SweepPlace } from '../support/sweep-places.ts';

// Two databases with the same rows stand for the primary and a replica, which refuses every write as a standby does.

let urls: { primary: string; replica: string };
let rows: SweepRows;
let arrivals: Arrivals;
beforeAll(async () => {
  const primary = (await cloneTestDatabase()).url;
  const filling = await openGateway({ url: primary });
  rows = await insertSweepRows(filling);
  await filling.close();
  const nameOf = (url: string) => new URL(url).pathname.slice(1);
  const name = `${nameOf(primary)}_replica`;
  const { url } = await createTestDatabase(await testServer(), { name, template: nameOf(primary) });
  urls = { primary, replica: url };
  const own = await openGateway({ url });
  await own.rows(`alter database "${name}" set default_transaction_read_only = on`);
  await own.close();
  arrivals = await watchArrivals(urls);
});
afterAll(() => arrivals.close());

async function withService(
  preferReadReplicas: boolean,
  work: (service: Gateway) => Promise<void>,
): Promise<void> {
  const service = await openGateway({
    url: urls.primary,
    preferReadReplicas,
    replicas: [{ clientUrl: urls.replica }],
    driverOptions: { application_name: SERVICE },
  });
  try {
    await work(service);
  } finally {
    await service.close();
  }
}

type Call = { readonly name: string; readonly place: SweepPlace; readonly args: readonly Argument[] };

const allCalls = (): Call[] =>
  Object.entries(sweepCalls(rows)).flatMap(([repository, calls]) =>
    Object.entries(calls as Record<string, readonly Argument[]>).map(([method, args]) => ({
      name: `${repository}.${method}`,
      place: (SWEEP_PLACES as Record<string, Record<string, SweepPlace>>)[repository]?.[method] as SweepPlace,
      args,
    })),
  );

function run(em: DataEntityManager, { name, args }: Call, options: GatewayOptions): Promise<unknown> {
  const [repository = '', method = ''] = name.split('.');
  const own = gatewayRepositories(em, { ...SWEEP_OPTIONS, ...options })[
    repository as 'users'
  ] as unknown as Record<string, (...all: unknown[]) => Promise<unknown>>;
  return own[method]?.(...args.map(({ valid }) => valid)) as Promise<unknown>;
}

/** The calls that went elsewhere, and where to. */
async function strays(
  calls: readonly Call[],
  expected: string | ((call: Call) => string),
  go: (call: Call) => Promise<string>,
): Promise<string[]> {
  const found: string[] = [];
  for (const call of calls) {
    const place = await go(call);
    if (place !== (typeof expected === 'string' ? expected : expected(call)))
      found.push(`${call.name}: ${place || 'nowhere'}`);
  }
  return found;
}

const MODES = [true, false].flatMap((prefers) =>
  (['primary', 'replica'] as const).map((reads) => ({ prefers, reads })),
);

describe('the table of places', () => {
  it('has every method that a repository offers, and no other', async () => {
    await withService(true, async (service) => {
      for (const [name, repository] of Object.entries(gatewayRepositories(service.em()))) {
        const places = (SWEEP_PLACES as Record<string, object>)[name] ?? {};
        expect({ name, methods: Object.keys(places).toSorted() }).toEqual({
          name,
          methods: methodsOf(repository),
        });
      }
    });
  });
});

describe('the page about it', () => {
  const HEADINGS: Readonly<Record<string, SweepPlace>> = {
    'Lists and statistics, which may run on a replica': 'replica',
    'One thing by its key, which callers read back after they have written it': 'by key',
    'What decides a charge, a limit, a right, or which account serves': 'decides',
    'What leads to a write': 'before a write',
    'What programs go by': 'state',
    'What writes': 'writes',
  };

  it('names every method under the heading of its place', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/read-replicas.md'), 'utf8');
    const named = page.split('\n### ').flatMap((section) => {
      const place = HEADINGS[section.slice(0, section.indexOf('\n'))];
      const lines = section.matchAll(/^- `(\w+)`:((?:\s+`\w+`,?)+)/gm);
      return [...lines].flatMap(([, repository, methods = '']) =>
        [...methods.matchAll(/`(\w+)`/g)].map(([, method]) => `${repository}.${method}: ${place}`),
      );
    });
    const all = Object.entries(SWEEP_PLACES).flatMap(([repository, places]) =>
      Object.entries(places as object).map(([method, place]) => `${repository}.${method}: ${place}`),
    );
    expect(named.toSorted()).toEqual(all.toSorted());
  });
});

describe('reads of the ORM outside of a repository', () => {
  it('go to the replica, so that the sweeps below would see one that nobody has placed', async () => {
    await withService(true, async (service) => {
      const READ = { name: 'placed_probe', text: 'select id from users where deleted_at is null' };
      const probes = [
        () => service.em().find(User, {}),
        () => service.em().count(User, {}),
        () => runPrepared(service.em(), READ, [], 'read'),
      ];
      for (const probe of probes) expect((await arrivals.of(probe)).places).toEqual(['replica']);
    });
  });

  it.each([true, false])(
    'but a prepared statement that nobody has placed, which may write: preferReadReplicas %p',
    async (prefers) => {
      await withService(prefers, async (service) => {
        const READ = { name: 'unplaced_probe', text: 'select id from users where deleted_at is null' };
        const WRITE = {
          name: 'unplaced_write',
          text: 'update users set updated_at = now() where id = $1 and deleted_at is null returning id',
        };
        const probes = [
          () => runPrepared(service.em(), READ, []),
          () => runPrepared(service.em(), WRITE, ['1']),
          () => service.em().skipSoftDelete((all) => runPrepared(all, READ, [])),
        ];
        for (const probe of probes) expect((await arrivals.of(probe)).places).toEqual(['primary']);
      });
    },
  );
});

describe.each(MODES)('with preferReadReplicas: $prefers and reads: $reads', ({ prefers, reads }) => {
  it('every method of every repository is answered where the table says', async () => {
    await withService(prefers, async (service) => {
      const calls = allCalls();
      expect(calls.length).toBeGreaterThan(150);
      const expected = ({ place }: Call) =>
        place === 'replica' && reads === 'replica' ? 'replica' : 'primary';
      const wrong = await strays(calls, expected, async (call) => {
        const em = service.em();
        const answer = (): Promise<unknown> =>
          IN_TRANSACTION.has(call.name)
            ? em.transactional((tx) => run(tx, call, { reads }))
            : run(em, call, { reads });
        const errors: string[] = [];
        const arrived = await arrivals.of(() =>
          // What the sweep itself has changed before may be refused; a list is not.
          answer().catch((error: unknown) => call.place === 'replica' && errors.push(String(error))),
        );
        return [...arrived.places, ...errors].join(' and ');
      });
      expect(wrong).toEqual([]);
    });
  });
});

describe('in a transaction', () => {
  it('every method stays on its connection, also where lists may run on a replica', async () => {
    await withService(true, async (service) => {
      const wrong = await strays(allCalls(), 'primary in 1', async (call) => {
        const em = service.em();
        await em.begin();
        const arrived = await arrivals.of(() => run(em, call, { reads: 'replica' }).catch(() => undefined));
        await em.rollback();
        return `${arrived.places.join(' and ')} in ${arrived.sessions}`;
      });
      expect(wrong).toEqual([]);
    });
  });
});

describe('operations on several aggregates', () => {
  it('read and write on the primary', async () => {
    await withService(true, async (service) => {
      const owner = await insertSweepRows(service);
      const usage = { userId: owner.user, apiKeyId: owner.apiKey, accountId: owner.account, model: 'm' };
      const OPERATIONS: Record<string, (em: DataEntityManager) => Promise<unknown>> = {
        recordUsage: (em) => recordUsage(em, { ...usage, requestId: 'one' }),
        'recordUsage again': (em) => recordUsage(em, { ...usage, requestId: 'one' }),
        recordUsages: (em) => recordUsages(em, [{ ...usage, requestId: 'two' }]),
        'recordUsages again': (em) => recordUsages(em, [{ ...usage, requestId: 'two' }]),
        completeSoraTask: (em) =>
          completeSoraTask(em, owner.sora.claims.complete, {
            resultUrls: ['https://example.com/a'],
            media: 'image',
            usage,
          }),
        redeem: (em) => redeem(em, owner.user, owner.redeemText),
        applyPromo: (em) => applyPromo(em, owner.user, owner.promoText),
        deleteGroupCascade: (em) => deleteGroupCascade(em, owner.group),
        assignOrExtendSubscription: async (em) => {
          const group = await gatewayRepositories(em).groups.create({
            name: `sold to ${owner.name}`,
            subscriptionType: 'subscription',
          });
          return assignOrExtendSubscription(em, { userId: owner.user, groupId: group.id });
        },
        verifyAllowedGroups: (em) => verifyAllowedGroups(em),
      };
      for (const [name, operation] of Object.entries(OPERATIONS)) {
        const { places } = await arrivals.of(() => operation(service.em()));
        expect({ name, places }).toEqual({ name, places: ['primary'] });
      }
    });
  });
});
