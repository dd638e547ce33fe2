import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type NewUsage, recordUsage, recordUsages } from 'tombstone/gateway';
import { mustCreatePayer, type Payer, sumsOf, usageOf } from '../support/gateway-usage.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
  await gateway.rows('select 1');
});
afterAll(() => gateway.close());

const PAYER: Payer = { userId: '1', apiKeyId: '1', accountId: '1', groupId: '1', subscriptionId: '1' };

/** Each way to store a usage, and how it names a field of the last one that it was given. */
const FORMS: [string, (usage: NewUsage) => Promise<unknown>, string][] = [
  ['recordUsage', (usage) => recordUsage(gateway.em(), usage), ''],
  ['recordUsages', (usage) => recordUsages(gateway.em(), [usageOf(PAYER), usage]), 'usages[1].'],
  ['usageLogs.create', (usage) => gatewayRepositories(gateway.em()).usageLogs.create(usage), ''],
];

const COSTS = [
  'inputCost',
  'outputCost',
  'cacheCreationCost',
  'cacheReadCost',
  'totalCost',
  'actualCost',
] as const;
const NO_COSTS = [
  '-0.0000000001',
  'NaN',
  'Infinity',
  '-Infinity',
  '1e400',
  '1e3',
  '1E-3',
  '0.00000000001',
  '10000000000',
  '',
  ' 1',
  '0x10',
  '1_000',
  '１',
  1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  5n,
  {},
  ['1'],
  true,
];
const NO_IDS = ['0', '-1', '', '1.0', '9223372036854775808', 1, 1n, null, undefined, {}];
const BAD: [keyof NewUsage, readonly unknown[]][] = [
  ...COSTS.map((cost): [keyof NewUsage, readonly unknown[]] => [cost, NO_COSTS]),
  ...(['userId', 'apiKeyId', 'accountId'] as const).map((id): [keyof NewUsage, readonly unknown[]] => [
    id,
    NO_IDS,
  ]),
  ['groupId', ['x', 1, {}, true]],
  ['rateMultiplier', ['-1', '0.00001', '1000000', 'NaN', 1]],
  ['accountRateMultiplier', ['-0.0001', '1e2', 0.5]],
  ['billingType', [2, -1, '0', 0.5, true, Number.NaN]],
  ['inputTokens', [-1, 1.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY, '5', 5n]],
  ['imageCount', [-1, '1']],
  ['durationMs', [-1, 2 ** 31]],
  ['stream', ['true', 1, {}]],
  ['model', [undefined, null, 5, {}, ['m']]],
  ['userAgent', [5, {}, ['a']]],
  ['requestId', [5, {}]],
  ['createdAt', [new Date(Number.NaN), '2026-01-01', 5, new Date(8.64e15), new Date(-8.64e15)]],
];

describe.each(FORMS)('%s', (_name, call, prefix) => {
  it.each(BAD)('refuses a wrong %s before any SQL', async (field, values) => {
    const wrong: unknown[] = [];
    for (const value of values) {
      gateway.statements();
      const error = await call(usageOf(PAYER, { [field]: value })).then(
        () => undefined,
        (reason: unknown) => reason as { code?: string; field?: string },
      );
      const found = [error?.code, error?.field, gateway.statements().length];
      if (JSON.stringify(found) !== JSON.stringify(['VALIDATION', prefix + field, 0]))
        wrong.push([value, found]);
    }
    expect(wrong).toEqual([]);
  });

  it.each([null, undefined, 5, 'usage', true, []])('refuses %p for a usage', async (nothing) => {
    gateway.statements();
    await expect(call(nothing as never)).rejects.toMatchObject({ code: 'VALIDATION' });
    expect(gateway.statements()).toEqual([]);
  });
});

it('null is none of the options, and a page of its own kind', async () => {
  gateway.statements();
  const none = null as never;
  await expect(recordUsage(gateway.em(), usageOf(PAYER), none)).rejects.toMatchObject({ code: 'VALIDATION' });
  await expect(recordUsages(gateway.em(), [usageOf(PAYER)], none)).rejects.toMatchObject({
    code: 'VALIDATION',
  });
  expect(() => gatewayRepositories(gateway.em(), none)).toThrow('options must be an object, or be left out');
  expect(gateway.statements()).toEqual([]);
  const { usageLogs } = gatewayRepositories(gateway.em());
  expect(await usageLogs.listByUser('1', none)).toMatchObject({ page: 1, pageSize: 20 });
  gateway.statements();
});

it('a batch with a hole is refused, and so is what is no list', async () => {
  const holes = [usageOf(PAYER)];
  holes[2] = usageOf(PAYER);
  for (const usages of [holes, undefined, null, 'list', { length: 1 }, new Set([usageOf(PAYER)])])
    await expect(recordUsages(gateway.em(), usages as never)).rejects.toMatchObject({ code: 'VALIDATION' });
  expect(gateway.statements()).toEqual([]);
});

const WIDE = '👩‍👩‍👧‍👦';
/** What comes from outside, and as what it is stored. */
const TEXTS: [string, keyof NewUsage, string, string | null][] = [
  ['user agent of 513 characters', 'userAgent', 'u'.repeat(513), 'u'.repeat(512)],
  ['user agent of 600 wide characters', 'userAgent', '😀'.repeat(600), '😀'.repeat(512)],
  [
    'user agent cut inside a family',
    'userAgent',
    WIDE.repeat(80),
    Array.from(WIDE.repeat(80)).slice(0, 512).join(''),
  ],
  ['user agent of a megabyte', 'userAgent', 'ä'.repeat(1_000_000), 'ä'.repeat(512)],
  [
    'user agent with halves of characters',
    'userAgent',
    `a\ud83db\udc00${'c'.repeat(600)}\ud83d`,
    `a\ufffdb\ufffd${'c'.repeat(508)}`,
  ],
  [
    'half of a character where it is cut',
    'userAgent',
    `${'a'.repeat(511)}\ud83d${'b'.repeat(9)}`,
    `${'a'.repeat(511)}\ufffd`,
  ],
  ['user agent with NUL', 'userAgent', `\0a\0${'b'.repeat(511)}\0`, `a${'b'.repeat(511)}`],
  ['user agent of NUL alone', 'userAgent', '\0\0', null],
  ['empty user agent', 'userAgent', '', null],
  ['what an array would take for its own', 'userAgent', '{"a",NULL,\\"}', '{"a",NULL,\\"}'],
  ['the word NULL', 'userAgent', 'NULL', 'NULL'],
  ['address of 46 characters', 'ipAddress', 'f'.repeat(46), 'f'.repeat(45)],
  [
    'address with a zone and NUL',
    'ipAddress',
    `fe80::1%\0eth0${'x'.repeat(60)}`,
    `fe80::1%eth0${'x'.repeat(33)}`,
  ],
  ['model of 101 wide characters', 'model', '😀'.repeat(101), '😀'.repeat(100)],
  ['model with NUL', 'model', 'm\0', 'm'],
  ['image size that is too long', 'imageSize', '1'.repeat(11), '1'.repeat(10)],
];

it('F39: each column refuses what is stored here in cut form, as the original gave it', async () => {
  const payer = await mustCreatePayer(gateway.em());
  for (const [length, column] of [
    [513, 'user_agent'],
    [46, 'ip_address'],
    [101, 'model'],
    [65, 'request_id'],
  ] as const) {
    const insert = gateway.rows(
      `insert into usage_logs (user_id, api_key_id, account_id, ${column === 'model' ? '' : 'model, '}${column})
       values (?, ?, ?, ${column === 'model' ? '' : "'m', "}?)`,
      [payer.userId, payer.apiKeyId, payer.accountId, 'x'.repeat(length)],
    );
    await expect(insert).rejects.toMatchObject({ sqlState: '22001' });
  }
});

it.each(TEXTS)('F39: %s is logged and charged, alone and in a batch', async (_what, field, given, stored) => {
  const payer = await mustCreatePayer(gateway.em());
  const one = await recordUsage(gateway.em(), usageOf(payer, { [field]: given }));
  const [two] = await recordUsages(gateway.em(), [usageOf(payer, { [field]: given }), usageOf(payer)]);
  const three = await gatewayRepositories(gateway.em()).usageLogs.create(usageOf(payer, { [field]: given }));
  for (const id of [one.id, two?.id ?? '', three.id]) {
    const log = await gatewayRepositories(gateway.em()).usageLogs.getById(id);
    expect(log[field as 'userAgent'] ?? null).toBe(stored);
  }
  expect(await sumsOf(gateway.em(), payer)).toMatchObject({ logs: '4', charged: '0.0370370367' });
});

it('F39: a request id that is too long, or holds NUL, is the same request each time', async () => {
  const payer = await mustCreatePayer(gateway.em());
  for (const requestId of ['😀'.repeat(65), `a\0${'b'.repeat(64)}`, '\ud800'.repeat(65)]) {
    const first = await recordUsage(gateway.em(), usageOf(payer, { requestId }));
    const [again] = await recordUsages(gateway.em(), [usageOf(payer, { requestId })]);
    expect([first.inserted, again?.inserted, again?.id]).toEqual([true, false, first.id]);
  }
});

it('F41: a sum that is larger than the balance’s column stores and charges nothing, alone and in a batch', async () => {
  const payer = await mustCreatePayer(gateway.em(), '-999999999999');
  const large = usageOf(payer, { actualCost: '9999999999.9999999999' });
  await expect(recordUsage(gateway.em(), large)).rejects.toMatchObject({ code: 'VALIDATION' });
  await expect(recordUsages(gateway.em(), [usageOf(payer), large])).rejects.toMatchObject({
    code: 'VALIDATION',
  });
  expect(await sumsOf(gateway.em(), payer)).toMatchObject({
    logs: '0',
    entries: '0',
    balance: '-999999999999.0000000000',
  });
});
