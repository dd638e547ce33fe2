import { assignOrExtendSubscription, deleteGroupCascade } from 'tombstone/gateway';
import { type Caller, newName, type Operation, pick, repositoriesOf, take } from '../caller.ts';

const FEWEST_SUBSCRIPTIONS = 20;
/** Short groups of one process that live at the same time. */
const SHORT_GROUPS = 3;

async function assign(caller: Caller, userId: string, groupId: string): Promise<void> {
  const { meter, world, em } = caller;
  // Another process may have deleted the user.
  const assigned = await meter.time('assignOrExtendSubscription', ['USER_NOT_FOUND'], () =>
    assignOrExtendSubscription(em(), { userId, groupId, days: 1 }),
  );
  if (assigned?.created) world.subscriptions.push(assigned.subscription.id);
}

async function deleteSubscription(caller: Caller): Promise<void> {
  const { meter, world, random, sightings } = caller;
  const id = take(random, world.subscriptions, FEWEST_SUBSCRIPTIONS);
  if (!id) return;
  await meter.time('subscriptions.delete', [], () =>
    sightings.delete([{ kind: 'subscription', id }], () => repositoriesOf(caller).subscriptions.delete(id)),
  );
}

/** An administrator empties the window of the day, while it is charged. */
async function reset(caller: Caller): Promise<void> {
  const { meter, world, random, answers } = caller;
  const id = pick(random, random.next() < 0.5 ? world.hotSubscriptions : world.subscriptions);
  const isDone = await meter.time('resetDailyUsage', ['SUBSCRIPTION_NOT_FOUND'], async () => {
    await repositoriesOf(caller).subscriptions.resetDailyUsage(id, new Date());
    return true;
  });
  if (isDone) answers.reset(id);
}

/** A group with an account, a key and perhaps a subscription, all of which requests use until it is deleted. */
async function openGroup(caller: Caller): Promise<void> {
  const { meter, world, random } = caller;
  const isSubscribed = random.next() < 0.5;
  const group = await meter.time('groups.create', [], () =>
    repositoriesOf(caller).groups.create({
      name: newName('short'),
      subscriptionType: isSubscribed ? 'subscription' : 'standard',
    }),
  );
  if (!group) return;
  const account = pick(random, world.keptAccounts);
  // A cascade then meets charges of a user that others charge as well.
  const userId = pick(random, random.next() < 0.5 ? world.hotUsers : world.users);
  await meter.time('accounts.addToGroup', [], () =>
    repositoriesOf(caller).accounts.addToGroup(account, group.id, 1),
  );
  if (isSubscribed) await assign(caller, userId, group.id);
  const value = newName('sk');
  const key = await meter.time('apiKeys.create', ['USER_NOT_FOUND'], () =>
    repositoriesOf(caller).apiKeys.create({ userId, groupId: group.id, key: value, name: 'short' }),
  );
  if (key) world.shortKeys.push({ id: key.id, value, userId });
  if (world.shortKeys.length > 2 * SHORT_GROUPS) world.shortKeys.shift();
  world.shortGroups.push({ id: group.id, isSubscribed });
}

async function closeGroup(caller: Caller): Promise<void> {
  const { meter, world, sightings, em } = caller;
  const group = world.shortGroups.length >= SHORT_GROUPS ? world.shortGroups.shift() : undefined;
  if (!group) return;
  const { id, isSubscribed } = group;
  const rows = [{ kind: 'group', id } as const, ...(isSubscribed ? [{ kind: 'plan', id } as const] : [])];
  await meter.time('deleteGroupCascade', [], () =>
    sightings.delete(rows, () => deleteGroupCascade(em(), id)),
  );
}

/** Subscriptions and groups that come and go. */
export const subscriptionsAndGroups: readonly Operation[] = [
  {
    name: 'subscriptions',
    weight: 2,
    run: async (caller) => {
      const { random, world } = caller;
      if (random.next() < 0.2) await deleteSubscription(caller);
      else await assign(caller, pick(random, world.users), pick(random, world.subscribedGroups));
    },
  },
  { name: 'windows', weight: 1, run: reset },
  {
    name: 'groups',
    weight: 1,
    run: async (caller) => {
      await openGroup(caller);
      await closeGroup(caller);
    },
  },
];
