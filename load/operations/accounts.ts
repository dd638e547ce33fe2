import { PLATFORMS } from '../fill.ts';
import { seeAccounts } from './request.ts';
import { type Caller, newName, type Operation, pick, repositoriesOf, take } from '../caller.ts';

const FEWEST_ACCOUNTS = 20;
const FEWEST_PROXIES = 5;

async function createAccount(caller: Caller): Promise<void> {
  const { meter, world, random } = caller;
  const groupIds = [...new Set([0, 1, 2].map(() => pick(random, world.groups)))];
  const proxyId = random.next() < 0.5 ? pick(random, world.proxies) : null;
  // Another process may have deleted the proxy.
  const created = await meter.time('accounts.create', ['PROXY_NOT_FOUND'], () =>
    repositoriesOf(caller).accounts.create({
      name: newName('account'),
      platform: pick(random, PLATFORMS),
      type: 'oauth',
      proxyId,
      groupIds,
      priority: random.below(7),
      credentials: { access_token: 'x'.repeat(200) },
    }),
  );
  if (!created) return;
  await meter.time('accounts.bindGroups', [], () =>
    repositoriesOf(caller).accounts.bindGroups(created.id, groupIds),
  );
  world.accounts.push(created.id);
}

async function deleteAccount(caller: Caller): Promise<void> {
  const { meter, world, random, sightings } = caller;
  const id = take(random, world.accounts, FEWEST_ACCOUNTS);
  if (!id) return;
  await meter.time('accounts.delete', [], () =>
    sightings.delete([{ kind: 'account', id }], () => repositoriesOf(caller).accounts.delete(id)),
  );
}

async function turnProxies(caller: Caller): Promise<void> {
  const { meter, world, random, sightings } = caller;
  const created = await meter.time('proxies.create', [], () =>
    repositoriesOf(caller).proxies.create({
      name: newName('proxy'),
      protocol: 'http',
      host: '10.0.0.1',
      port: 8080,
    }),
  );
  if (created) world.proxies.push(created.id);
  const id = take(random, world.proxies, FEWEST_PROXIES);
  if (!id) return;
  const isDeleted = await meter.time('proxies.delete', ['PROXY_IN_USE'], () =>
    sightings.delete([{ kind: 'proxy', id }], () => repositoriesOf(caller).proxies.delete(id)),
  );
  if (!isDeleted) world.proxies.push(id);
}

async function useAccounts(caller: Caller): Promise<void> {
  const { meter, world, random } = caller;
  const times = new Map(
    Array.from({ length: 10 }, () => [pick(random, world.accounts), new Date()] as const),
  );
  await meter.time('batchUpdateLastUsed', [], () =>
    repositoriesOf(caller).accounts.batchUpdateLastUsed(times),
  );
}

/** A choice among all accounts of a platform, those that were unbound when they were deleted too. */
async function chooseOfPlatform(caller: Caller): Promise<void> {
  const platform = pick(caller.random, PLATFORMS);
  await seeAccounts(caller, 'listSchedulableByPlatform', () =>
    repositoriesOf(caller).accounts.listSchedulableByPlatform(platform),
  );
}

/** The platform asks for less: the account is not chosen for a moment. */
async function overload(caller: Caller): Promise<void> {
  const { meter, world, random } = caller;
  const [id, until] = [pick(random, world.accounts), new Date(Date.now() + 200)];
  await meter.time('setOverloaded', [], () => repositoriesOf(caller).accounts.setOverloaded(id, until));
}

/** Accounts and proxies that come and go, and what the scheduler hears of them. */
export const accountsAndProxies: readonly Operation[] = [
  {
    name: 'accounts',
    weight: 2,
    run: (caller) => (caller.random.next() < 0.5 ? createAccount(caller) : deleteAccount(caller)),
  },
  { name: 'proxies', weight: 0.5, run: turnProxies },
  { name: 'last used', weight: 2, run: useAccounts },
  { name: 'overload', weight: 1, run: overload },
  { name: 'platform', weight: 1, run: chooseOfPlatform },
];
