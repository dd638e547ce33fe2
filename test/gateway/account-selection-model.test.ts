import { afterAll, beforeAll, expect, it } from '@jest/globals';
import {
  type AccountColumns,
  type GatewayRepositories,
  gatewayRepositories,
  type SchedulableAccount,
  type SelectionOptions,
} from 'tombstone/gateway';
import { type Gateway, openGateway } from '../support/gateway.ts';

const SEED = Number(process.env['SELECTION_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = 12;
const PLATFORMS = ['openai', 'gemini', 'sora'];

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

interface ModelAccount {
  readonly id: string;
  readonly platform: string;
  readonly priority: number;
  readonly isUsable: boolean;
}
interface Binding {
  readonly account: string;
  readonly group: string;
  readonly priority: number;
}
interface World {
  readonly accounts: ModelAccount[];
  readonly bindings: Binding[];
  readonly groups: { id: string; isLive: boolean }[];
}

/** Numbers from 0 to below `n`, the same for the same seed. */
function randomOf(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

async function insert(table: string, values: Record<string, unknown>): Promise<string> {
  const names = Object.keys(values);
  const sql = `insert into ${table} (${names.join(', ')}) values (${names.map(() => '?').join(', ')}) returning id`;
  return (await gateway.rows<{ id: string }>(sql, Object.values(values)))[0]?.id ?? '';
}

/** Every column that decides, in every combination that chance gives; the past and the future are years away. */
async function worldOf(random: (n: number) => number): Promise<World> {
  for (const table of ['account_groups', 'accounts', 'groups', 'proxies'])
    await gateway.rows(`delete from ${table}`);
  const [past, future] = [new Date('2001-01-01'), new Date('2090-01-01')];
  const rarely = (): boolean => random(6) === 0;
  const proxies = [null];
  const deadProxies = new Set<string | null>();
  for (let n = 0; n < 4; n += 1) {
    const isDead = n % 2 === 1;
    const id = await insert('proxies', {
      name: `p${n}`,
      protocol: 'http',
      host: 'h',
      port: 1,
      deleted_at: isDead ? past : null,
    });
    proxies.push(id as never);
    if (isDead) deadProxies.add(id);
  }
  const groups: World['groups'] = [];
  for (let n = 0; n < 5; n += 1) {
    const isLive = n !== 2;
    groups.push({ id: await insert('groups', { name: `g${n}`, deleted_at: isLive ? null : past }), isLive });
  }
  const accounts: ModelAccount[] = [];
  const bindings: Binding[] = [];
  for (let n = 0; n < 40; n += 1) {
    const row = {
      name: `a${n}`,
      type: 'oauth',
      platform: PLATFORMS[random(3)] ?? '',
      priority: random(3),
      status: rarely() ? 'error' : 'active',
      schedulable: !rarely(),
      deleted_at: rarely() ? past : null,
      proxy_id: proxies[random(5)] ?? null,
      temp_unschedulable_until: [null, past, null, future][random(rarely() ? 4 : 3)] ?? null,
      overload_until: [null, past, null, future][random(rarely() ? 4 : 3)] ?? null,
      rate_limit_reset_at: [null, past, null, future][random(rarely() ? 4 : 3)] ?? null,
      expires_at: [null, future, past][random(3)] ?? null,
      auto_pause_on_expired: random(2) === 0,
    };
    const id = await insert('accounts', row);
    const isUsable =
      row.status === 'active' &&
      row.schedulable &&
      row.deleted_at === null &&
      !deadProxies.has(row.proxy_id) &&
      row.temp_unschedulable_until !== future &&
      row.overload_until !== future &&
      row.rate_limit_reset_at !== future &&
      !(row.expires_at === past && row.auto_pause_on_expired);
    accounts.push({ id, platform: row.platform, priority: row.priority, isUsable });
    for (const group of groups) {
      if (random(2) === 0) continue;
      const binding = { account: id, group: group.id, priority: random(3) };
      bindings.push(binding);
      await gateway.rows('insert into account_groups (account_id, group_id, priority) values (?, ?, ?)', [
        binding.account,
        binding.group,
        binding.priority,
      ]);
    }
  }
  return { accounts, bindings, groups };
}

const byNumbers = (a: readonly number[], b: readonly number[]): number =>
  a.map((value, n) => value - (b[n] ?? 0)).find((difference) => difference !== 0) ?? 0;

/** What may be chosen, as one would write it down: all, or of a group, of the platforms, with the groups of each. */
function model(world: World, group: string | undefined, platforms: readonly string[]): [string, string[]][] {
  const isLive = (id: string): boolean => world.groups.some((one) => one.id === id && one.isLive);
  const of = (id: string): Binding[] =>
    world.bindings.filter((binding) => binding.account === id && isLive(binding.group));
  return world.accounts
    .filter((account) => account.isUsable && platforms.includes(account.platform))
    .flatMap((account) => {
      const own = of(account.id).find((binding) => binding.group === group);
      if (group !== undefined && !own) return [];
      return [{ account, order: [own?.priority ?? 0, account.priority, Number(account.id)] }];
    })
    .toSorted((a, b) => byNumbers(a.order, b.order))
    .map(({ account }) => [
      account.id,
      of(account.id)
        .toSorted((a, b) => byNumbers([a.priority, Number(a.group)], [b.priority, Number(b.group)]))
        .map((binding) => binding.group),
    ]);
}

const shown = (found: readonly SchedulableAccount[]): [string, string[]][] =>
  found.map((account) => [account.id, [...account.groupIds]]);

type Accounts = GatewayRepositories['accounts'];

/** Every way to select, with the group and the platforms that it asks for. */
function ways<Options extends SelectionOptions>(accounts: Accounts, { groups }: World, options: Options) {
  const ofGroups = groups.flatMap(({ id }) => [
    { found: accounts.listSchedulableByGroupId(id, options), group: id, platforms: PLATFORMS },
    {
      found: accounts.listSchedulableByGroupIdAndPlatforms(id, ['gemini', 'openai'], options),
      group: id,
      platforms: ['openai', 'gemini'],
    },
    {
      found: accounts.listSchedulableByGroupIdAndPlatform(id, 'gemini', options),
      group: id,
      platforms: ['gemini'],
    },
  ]);
  return [
    ...ofGroups,
    { found: accounts.listSchedulable(options), group: undefined, platforms: PLATFORMS },
    {
      found: accounts.listSchedulableByPlatforms(['openai', 'sora', 'anthropic'], options),
      group: undefined,
      platforms: ['openai', 'sora'],
    },
    ...PLATFORMS.map((platform) => ({
      found: accounts.listSchedulableByPlatform(platform, options),
      group: undefined,
      platforms: [platform],
    })),
  ];
}

async function expectAgreement(accounts: Accounts, world: World): Promise<number> {
  const alone = ways(accounts, world, { groups: false });
  const all = ways(accounts, world, { groups: true });
  const withoutGroups = await Promise.all(alone.map(({ found }) => found));
  const answers = await Promise.all(all.map(({ found }) => found));
  for (const [n, { group, platforms }] of all.entries()) {
    const answer = answers[n] ?? [];
    expect(shown(answer)).toEqual(model(world, group, platforms));
    expect(withoutGroups[n]).toEqual(answer.map(({ groupIds: _groups, ...columns }) => columns));
    expect(withoutGroups[n]?.map(({ credentials }) => credentials)).toEqual(
      answer.map(({ credentials }) => credentials),
    );
  }
  return model(world, undefined, PLATFORMS).length;
}

it(`F13, F30: the six ways to select agree with a plain model of ${ROUNDS} random worlds (seed ${SEED})`, async () => {
  const random = randomOf(SEED);
  const { accounts } = gatewayRepositories(gateway.em());
  let chosen = 0;
  for (let round = 0; round < ROUNDS; round += 1)
    chosen += await expectAgreement(accounts, await worldOf(random));
  expect(chosen).toBeGreaterThan(ROUNDS);
  expect(chosen).toBeLessThan(ROUNDS * 40);
}, 120_000);

it('the model sees a world that has changed behind it', async () => {
  const world = await worldOf(randomOf(7));
  const { accounts } = gatewayRepositories(gateway.em());
  await expectAgreement(accounts, world);
  const [first] = await accounts.listSchedulable();
  await gateway.rows(
    'update accounts set proxy_id = (select id from proxies where deleted_at is not null limit 1) where id = ?',
    [first?.id],
  );
  await expect(expectAgreement(accounts, world)).rejects.toThrow();
});

it('groups are read unless they are declined, and a type knows of them only where they are read', async () => {
  const world = await worldOf(randomOf(11));
  const { accounts } = gatewayRepositories(gateway.em());
  const given: SchedulableAccount[] = await accounts.listSchedulable();
  const asked: SchedulableAccount[] = await accounts.listSchedulable({});
  const declined: AccountColumns[] = await accounts.listSchedulable({ groups: false });
  // @ts-expect-error: there are no groups in what was read without them.
  const wrong: SchedulableAccount[] = declined;
  // @ts-expect-error: whether there are is not known before the program runs.
  const unknown: SchedulableAccount[] = await accounts.listSchedulable({ groups: Boolean(world) });
  expect([given, asked, unknown].map(shown)).toEqual(Array(3).fill(model(world, undefined, PLATFORMS)));
  expect(wrong.length).toBe(given.length);
  expect(wrong.some((account) => 'groupIds' in account)).toBe(false);
});
