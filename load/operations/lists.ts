import type { Id } from 'tombstone';
import type { GatewayRepositories } from 'tombstone/gateway';
import { type Caller, type Operation, pick, repositoriesOf } from '../caller.ts';
import { now } from '../clock.ts';
import type { Kind } from '../sightings.ts';

/** A row that an answer shows; what is null there is shown by nobody. */
export type Shown = readonly [kind: Kind, row: { readonly id: Id } | null | undefined];

interface List {
  readonly weight: number;
  /** Reads a page, and answers every row on it that can be deleted. */
  readonly read: (repositories: GatewayRepositories, caller: Caller) => Promise<readonly Shown[]>;
}

const PAGE = { pageSize: 50 };

/** Now and then one that many others look at. */
const user = ({ random, world }: Caller): Id =>
  pick(random, random.next() < 0.5 ? world.hotUsers : world.users);

/** The lists that show whole rows with what they refer to. Logs of deleted rows stay by contract, and name them by id only. */
export const LISTS: Readonly<Record<string, List>> = {
  'users.list': {
    weight: 0.5,
    read: async ({ users }) =>
      (await users.list(PAGE)).items.flatMap((one): Shown[] => [
        ['user', one],
        ...one.subscriptions.flatMap((subscription): Shown[] => [
          ['subscription', subscription],
          ['group', subscription.group],
        ]),
      ]),
  },
  'apiKeys.listByUserId': {
    weight: 1,
    read: async ({ apiKeys }, caller) =>
      (await apiKeys.listByUserId(user(caller), PAGE)).items.flatMap((one): Shown[] => [
        ['apiKey', one],
        ['user', one.user],
        ['group', one.group],
      ]),
  },
  'accounts.list': {
    weight: 0.5,
    read: async ({ accounts }) =>
      (await accounts.list(PAGE)).items.flatMap((one): Shown[] => [
        ['account', one],
        ['proxy', one.proxy],
        ...one.groups.map((group): Shown => ['group', group]),
      ]),
  },
  'proxies.listWithFiltersAndAccountCount': {
    weight: 0.5,
    read: async ({ proxies }) =>
      (await proxies.listWithFiltersAndAccountCount(PAGE, {})).items.map((one): Shown => ['proxy', one]),
  },
  'groups.listActive': {
    weight: 0.5,
    read: async ({ groups }) => (await groups.listActive()).map((one): Shown => ['group', one]),
  },
  'subscriptions.list': {
    weight: 0.5,
    read: async ({ subscriptions }) =>
      (await subscriptions.list(PAGE)).items.flatMap((one): Shown[] => [
        ['subscription', one],
        ['plan', { id: one.groupId }],
        ['user', one.user],
        ['group', one.group],
      ]),
  },
  'usageLogs.listWithFilters': {
    weight: 1,
    read: async ({ usageLogs }, caller) =>
      (await usageLogs.listWithFilters(PAGE, { userId: user(caller) })).items.flatMap((one): Shown[] => [
        ['user', one.user],
        ['apiKey', one.apiKey],
        ['account', one.account],
        ['group', one.group],
        ['subscription', one.subscription],
      ]),
  },
};

/** Reads the list and notes what it shows. */
export async function look(caller: Caller, name: string, read: List['read']): Promise<void> {
  const begun = now();
  const shown = await caller.meter.time(name, [], () => read(repositoriesOf(caller), caller));
  for (const [kind, row] of shown ?? []) caller.sightings.see(kind, row?.id, begun);
}

/** What administrators page through while requests run. */
export const lists: readonly Operation[] = Object.entries(LISTS).map(([name, { weight, read }]) => ({
  name,
  weight,
  run: (caller) => look(caller, name, read),
}));
