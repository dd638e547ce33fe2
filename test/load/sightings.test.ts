import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MikroORM } from '@mikro-orm/core';
import { type DataDriver, type DataEntityManager, defineDataConfig } from 'tombstone';
import { gateway, gatewayRepositories, recordUsage } from 'tombstone/gateway';
import { Random } from '../../crash/random.ts';
import type { Caller } from '../../load/caller.ts';
import type { Finding } from '../../load/invariants/index.ts';
import { Meter } from '../../load/meter.ts';
import { LISTS, look } from '../../load/operations/lists.ts';
import { lookAtAll, lookAtUser } from '../../load/operations/statistics.ts';
import { type LoadRun, runLoad } from '../../load/run.ts';
import { type CountedKind, type Kind, Sightings } from '../../load/sightings.ts';
import { Answers } from '../../load/told.ts';
import { readWorld, type World } from '../../load/world.ts';
import { emptyTestDatabase } from '../support/database.ts';

// A deletion that is told to be done and has changed nothing is what a leak looks like to whoever reads afterwards.

let ended: LoadRun;
let orm: MikroORM<DataDriver, DataEntityManager>;
let world: World;
beforeAll(async () => {
  const { url } = await emptyTestDatabase();
  ended = await runLoad(url, {
    seconds: 2,
    callers: 12,
    processes: 2,
    connections: 12,
    seed: 7,
    quick: true,
  });
  orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  const known = await readWorld(orm.em.fork());
  world = { ...known, users: known.hotUsers.slice(0, 1), hotUsers: known.hotUsers.slice(0, 1) };
  await chargeSubscription();
}, 120_000);
afterAll(async () => {
  await orm.close();
  await ended.close();
});

/** The newest log of the user is one that shows everything. */
async function chargeSubscription(): Promise<void> {
  const [userId = ''] = world.hotUsers;
  const apiKeyId = world.hotKeys.find((key) => key.userId === userId)?.id ?? '';
  const [subscription] = await gatewayRepositories(orm.em.fork()).subscriptions.listByUserId(userId);
  if (!subscription) throw new Error('the user has no subscription');
  const { id: subscriptionId, groupId } = subscription;
  const accountId = world.keptAccounts[0] ?? '';
  const log = { userId, apiKeyId, accountId, groupId, subscriptionId, model: 'm', billingType: 1 } as const;
  await recordUsage(orm.em.fork(), { ...log, totalCost: '0.01' });
}

function newCaller(): Caller {
  const em = (): DataEntityManager => orm.em.fork();
  const [meter, random] = [new Meter(Number.POSITIVE_INFINITY), new Random(1)];
  return { em, world, meter, random, sightings: new Sightings(), answers: new Answers() };
}

async function found(name: string, { sightings }: Caller): Promise<Finding> {
  const invariant = ended.invariants.find((one) => one.name === name);
  if (!invariant) throw new Error(`there is no invariant ${name}`);
  return invariant.check({ ...ended.evidence, seen: [...ended.evidence.seen, sightings.seen()] });
}

const pretendDeletion = (caller: Caller, kind: Kind, ids: readonly string[]): Promise<unknown> =>
  caller.sightings.delete(
    ids.map((id) => ({ kind, id })),
    () => Promise.resolve(),
  );

const SHOWN: Readonly<Record<string, readonly Kind[]>> = {
  'users.list': ['user', 'subscription', 'group'],
  'apiKeys.listByUserId': ['apiKey', 'user', 'group'],
  'accounts.list': ['account', 'proxy', 'group'],
  'proxies.listWithFiltersAndAccountCount': ['proxy'],
  'groups.listActive': ['group'],
  'subscriptions.list': ['subscription', 'plan', 'user', 'group'],
  'usageLogs.listWithFilters': ['user', 'apiKey', 'account', 'group', 'subscription'],
};

it('every list is here', () => {
  expect(Object.keys(LISTS)).toEqual(Object.keys(SHOWN));
});

describe.each(Object.entries(SHOWN))('what %s shows', (name, kinds) => {
  const read = LISTS[name]?.read ?? (() => Promise.resolve([]));

  it.each(kinds)('would be noticed of a deleted %s', async (kind) => {
    const caller = newCaller();
    await look(caller, name, read);
    const ids = [...caller.sightings.seen().lastSeen[kind].keys()];
    expect(ids.length).toBeGreaterThan(0);
    expect(await found('dead rows', caller)).toMatchObject({ holds: true });
    await pretendDeletion(caller, kind, ids);
    expect(await found('dead rows', caller)).toMatchObject({ holds: true });
    await look(caller, name, read);
    const { holds, numbers } = await found('dead rows', caller);
    expect([holds, numbers['cameBack']]).toEqual([false, ids.length]);
  });
});

describe('what statistics count', () => {
  const reports = () => gatewayRepositories(orm.em.fork()).usageReports;
  const idOf = async (table: string, condition: string): Promise<string> => {
    const sql = `select id from ${table} where deleted_at is null and ${condition} order by id limit 1`;
    const [row] = await orm.em.fork().skipSoftDelete((all) => all.execute<{ id: string }[]>(sql));
    return row?.id ?? '';
  };
  const ofUser = (): string => `user_id = ${world.hotUsers[0]}`;

  it.each<[string, CountedKind, () => Promise<string>, typeof lookAtUser]>([
    ['keys of a user', 'apiKey', () => idOf('api_keys', ofUser()), lookAtUser],
    ['keys', 'apiKey', () => idOf('api_keys', 'true'), lookAtAll],
    ['users', 'user', () => idOf('users', 'true'), lookAtAll],
    ['accounts', 'account', () => idOf('accounts', 'true'), lookAtAll],
  ])('of %s would be noticed with one that is deleted', async (_what, kind, id, read) => {
    const caller = newCaller();
    await read(reports(), caller);
    expect(await found('live counts', caller)).toMatchObject({ holds: true });
    await pretendDeletion(caller, kind, [await id()]);
    expect(await found('live counts', caller)).toMatchObject({ holds: true });
    await read(reports(), caller);
    const { holds, numbers } = await found('live counts', caller);
    expect([holds, numbers['tooHigh']]).toEqual([false, 1]);
  });

  it('would be noticed with a live row that is missing', async () => {
    const caller = newCaller();
    await lookAtAll(reports(), caller);
    const [all] = caller.sightings.seen().counts;
    expect(await found('live counts', caller)).toMatchObject({ holds: true });
    if (all) caller.sightings.count({ ...all, count: 1 });
    const { holds, numbers } = await found('live counts', caller);
    expect([holds, numbers['tooLow']]).toEqual([false, 1]);
  });
});
