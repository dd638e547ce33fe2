import { type Caller, newName, type Operation, pick, repositoriesOf, take } from '../caller.ts';
import { amountOf } from '../amount.ts';

const FEWEST_KEYS = 50;
const FEWEST_USERS = 20;

async function createKey(caller: Caller, userId: string, groupId: string): Promise<void> {
  const { meter, world } = caller;
  const value = newName('sk');
  // Another process may have deleted the owner.
  const created = await meter.time('apiKeys.create', ['USER_NOT_FOUND'], () =>
    repositoriesOf(caller).apiKeys.create({ userId, groupId, key: value, name: 'short' }),
  );
  if (created) world.keys.push({ id: created.id, value, userId });
}

/** Deletes one that nobody else of the process deletes, while enough are left. */
export async function deleteKey(caller: Caller): Promise<void> {
  const { meter, world, random, sightings } = caller;
  const key = take(random, world.keys, FEWEST_KEYS);
  if (!key) return;
  const isDeleted = await meter.time('apiKeys.delete', [], () =>
    sightings.delete([{ kind: 'apiKey', id: key.id }], () => repositoriesOf(caller).apiKeys.delete(key.id)),
  );
  if (isDeleted) world.deadKeys.push(key);
}

async function createUser(caller: Caller): Promise<void> {
  const { meter, world, random } = caller;
  const created = await meter.time('users.create', [], () =>
    repositoriesOf(caller).users.create({
      email: `${newName('u')}@example.com`,
      passwordHash: 'not a real hash',
    }),
  );
  if (!created) return;
  await createKey(caller, created.id, pick(random, world.groups));
  world.users.push(created.id);
}

/** Its keys stay, and must be refused. */
async function deleteUser(caller: Caller): Promise<void> {
  const { meter, world, random, sightings } = caller;
  const id = take(random, world.users, FEWEST_USERS);
  if (!id) return;
  await meter.time('users.delete', [], () =>
    sightings.delete([{ kind: 'user', id }], () => repositoriesOf(caller).users.delete(id)),
  );
}

async function topUp(caller: Caller): Promise<void> {
  const { meter, world, random, answers } = caller;
  const id = pick(random, random.next() < 0.5 ? world.hotUsers : world.users);
  const units = BigInt(1 + random.below(1_000_000_000));
  const isDone = await meter.time('users.updateBalance', ['USER_NOT_FOUND'], async () => {
    await repositoriesOf(caller).users.updateBalance(id, amountOf(units));
    return true;
  });
  if (isDone) answers.toppedUp(id, units);
}

const half = (caller: Caller): boolean => caller.random.next() < 0.5;

/** Keys and users that come and go, and balances that are filled. */
export const keysAndUsers: readonly Operation[] = [
  {
    name: 'keys',
    weight: 3,
    run: (caller) =>
      half(caller)
        ? createKey(caller, pick(caller.random, caller.world.users), pick(caller.random, caller.world.groups))
        : deleteKey(caller),
  },
  { name: 'users', weight: 0.6, run: (caller) => (half(caller) ? createUser(caller) : deleteUser(caller)) },
  { name: 'top up', weight: 2, run: topUp },
];
