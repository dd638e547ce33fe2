import { isDataError } from 'tombstone';
import {
  type ActiveSubscription,
  type AuthSnapshot,
  type NewUsage,
  recordUsage,
  type SchedulableAccount,
} from 'tombstone/gateway';
import { type Caller, newName, type Operation, pick, repositoriesOf } from '../caller.ts';
import { now } from '../clock.ts';
import type { Key } from '../world.ts';
import { randomUsage } from './usage.ts';

const TIMES = { hot: 0.3, dead: 0.02, refused: 0.02, short: 0.08, again: 0.05, lastUsed: 0.3 } as const;

/** What a gateway does for each request, from the key to the charge. */
export const request: Operation = {
  name: 'request',
  weight: 70,
  run: async (caller) => {
    await caller.meter.time('request', [], () => serve(caller, chooseKey(caller)));
  },
};

function chooseKey({ random, world, sightings }: Caller): Key {
  let at = random.next();
  const isBelow = (share: number): boolean => (at -= share) < 0;
  if (isBelow(TIMES.hot)) return pick(random, world.hotKeys);
  if (isBelow(TIMES.dead)) {
    sightings.askForDead();
    return pick(random, world.deadKeys);
  }
  if (isBelow(TIMES.refused)) return pick(random, world.refusedKeys);
  return pick(random, isBelow(TIMES.short) && world.shortKeys.length > 0 ? world.shortKeys : world.keys);
}

async function serve(caller: Caller, key: Key): Promise<void> {
  const auth = await authenticate(caller, key);
  if (!auth) return;
  if (!auth.user) return caller.meter.answer('request', 'OWNER_DELETED');
  if (!auth.group) return caller.meter.answer('request', 'GROUP_DELETED');
  const account = await choose(caller, auth.group.id);
  if (!account) return;
  const isSubscribed = auth.group.subscriptionType === 'subscription';
  const subscription = isSubscribed ? await subscriptionOf(caller, auth) : undefined;
  if (isSubscribed && !subscription) return;
  await charge(caller, {
    ...randomUsage(caller.random, auth.group.rateMultiplier),
    userId: auth.userId,
    apiKeyId: auth.id,
    accountId: account.id,
    groupId: auth.group.id,
    requestId: newName('request'),
    ...(subscription && { subscriptionId: subscription.id, billingType: 1 }),
  });
  if (caller.random.next() < TIMES.lastUsed)
    await caller.meter.time('updateLastUsed', [], () =>
      repositoriesOf(caller).accounts.updateLastUsed(account.id),
    );
}

/** Presents a key, and notes what comes back. */
export async function authenticate(caller: Caller, key: Key): Promise<AuthSnapshot | undefined> {
  const { meter, sightings } = caller;
  const begun = now();
  const auth = await meter.time('getByKeyForAuth', ['API_KEY_NOT_FOUND'], async () => {
    try {
      return await repositoriesOf(caller).apiKeys.getByKeyForAuth(key.value);
    } catch (error) {
      if (isDataError(error, 'API_KEY_NOT_FOUND')) sightings.refuse(key.id, now());
      throw error;
    }
  });
  sightings.see('apiKey', auth?.id, begun);
  sightings.see('user', auth?.user?.id, begun);
  sightings.see('group', auth?.group?.id, begun);
  return auth;
}

/** Notes what a selection answers, and the proxies and groups with it. */
export async function seeAccounts(
  { meter, sightings }: Caller,
  name: string,
  select: () => Promise<SchedulableAccount[]>,
): Promise<SchedulableAccount[] | undefined> {
  const begun = now();
  const accounts = await meter.time(name, [], select);
  for (const account of accounts ?? []) {
    sightings.see('account', account.id, begun);
    sightings.see('proxy', account.proxyId, begun);
    for (const id of account.groupIds) sightings.see('group', id, begun);
  }
  return accounts;
}

async function choose(caller: Caller, groupId: string): Promise<SchedulableAccount | undefined> {
  const accounts = await seeAccounts(caller, 'listSchedulableByGroupId', () =>
    repositoriesOf(caller).accounts.listSchedulableByGroupId(groupId),
  );
  if (accounts?.length === 0) noteNobody(caller, groupId);
  // The first ones are preferred, and a scheduler spreads the requests over some of them.
  return accounts && accounts.length > 0 ? pick(caller.random, accounts.slice(0, 5)) : undefined;
}

/** Only a group that is being deleted may have nobody: the others have an account that stays. */
function noteNobody({ meter, world }: Caller, groupId: string): void {
  const isKept = world.groups.includes(groupId) || world.subscribedGroups.includes(groupId);
  if (!isKept) meter.answer('request', 'NO_ACCOUNT');
  else meter.fail('request', 'NO_ACCOUNT', 'A group whose account stays had nobody to serve it.');
}

async function subscriptionOf(
  caller: Caller,
  { userId, groupId }: AuthSnapshot,
): Promise<ActiveSubscription | undefined> {
  const { meter, sightings, answers } = caller;
  const begun = now();
  const found = await meter.time('getActiveByUserIdAndGroupId', ['SUBSCRIPTION_NOT_FOUND'], () =>
    repositoriesOf(caller).subscriptions.getActiveByUserIdAndGroupId(userId, groupId ?? ''),
  );
  if (!found) return undefined;
  sightings.see('subscription', found.id, begun);
  sightings.see('plan', found.groupId, begun);
  sightings.see('group', found.group?.id, begun);
  if (found.windowsDue) {
    const renewed = await meter.time('checkWindows', [], () =>
      repositoriesOf(caller).subscriptions.checkWindows(found.id),
    );
    if (renewed) answers.reset(found.id);
  }
  return found;
}

/** Some clients do not wait for the answer, or lose it, and send the request again. */
async function charge(caller: Caller, usage: NewUsage): Promise<void> {
  const { meter, answers, random, em } = caller;
  const record = async (name: string): Promise<void> => {
    const recorded = await meter.time(name, [], () => recordUsage(em(), usage));
    if (recorded) answers.charged(usage.apiKeyId, recorded, usage.subscriptionId);
  };
  const at = random.next();
  if (at < TIMES.again / 2) await Promise.all([record('recordUsage'), record('recordUsage, repeated')]);
  else await record('recordUsage');
  if (at > 1 - TIMES.again / 2) await record('recordUsage, repeated');
}
