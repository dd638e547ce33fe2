import type { DataEntityManager } from 'tombstone';
import { type GatewayOptions, gatewayRepositories } from 'tombstone/gateway';
import {
  type Argument,
  clamped,
  filters,
  flag,
  id,
  ids,
  integer,
  list,
  object,
  optionalId,
  SECRET,
  text,
  word,
} from './sweep-arguments.ts';
import type { SweepCalls, SweepRows } from './sweep-calls.ts';

/** Without keys no token can be written. */
export const SWEEP_OPTIONS: GatewayOptions = {
  soraKeys: { current: 'sweep', keys: { sweep: Buffer.alloc(32, 'sweep') } },
};

const ENDS = ['extend', 'complete', 'fail', 'retry', 'release'] as const;

/** The names of what a claim, a lease and a file are called in the calls. */
export interface SweepSora {
  /** By the method that is called with it, because each one ends its claim. */
  readonly claims: Readonly<Record<(typeof ENDS)[number], { taskId: string; claimId: string }>>;
  readonly lease: { readonly leaseId: string; readonly accountId: string };
  readonly file: string;
}

const UUID = '01234567-89ab-cdef-0123-456789abcdef';

/** Of no row that there is. */
export const NO_SORA: SweepSora = {
  claims: Object.fromEntries(ENDS.map((end) => [end, { taskId: end, claimId: UUID }])) as SweepSora['claims'],
  lease: { leaseId: UUID, accountId: '1' },
  file: '1',
};

/** Rows of an account, with claims and slots that are held. */
export async function insertSweepSora(
  em: DataEntityManager,
  { name, user, account }: Pick<SweepRows, 'name' | 'user' | 'account'>,
): Promise<SweepSora> {
  const sora = gatewayRepositories(em, SWEEP_OPTIONS);
  await sora.soraAccounts.upsert(account, { accessToken: `${SECRET} of ${name}` });
  const taskIds = ENDS.map((end) => `${end} of ${name}`);
  for (const taskId of taskIds)
    await sora.soraTasks.create({ taskId, accountId: account, model: 'm', prompt: 'p' });
  const claimed = await sora.soraTasks.claim({ worker: name, leaseMs: 3_600_000, limit: 1000 });
  const claims = ENDS.map((end, n) => {
    const { taskId = '', claimId = '' } = claimed.find((task) => task.taskId === taskIds[n]) ?? {};
    return [end, { taskId, claimId }];
  });
  const lease = await sora.soraSlots.acquire(account, { image: 1 }, { holder: name, leaseMs: 3_600_000 });
  const file = await sora.soraCacheFiles.create({ ...FILE, accountId: account, userId: user });
  return {
    claims: Object.fromEntries(claims) as SweepSora['claims'],
    lease: { leaseId: lease?.leaseId ?? '', accountId: account },
    file: file.id,
  };
}

const FILE = {
  mediaType: 'image',
  originalUrl: 'https://example.com/a.png',
  cachePath: 'a.png',
  cacheUrl: '/a.png',
  sizeBytes: 5,
} as const;
const NO_URLS = [
  `http://example.com/${SECRET}`,
  `https://127.0.0.1/${SECRET}`,
  `https://[::1]/${SECRET}`,
  `https://user:${SECRET}@example.com/`,
  'file:///etc/passwd',
  '',
  5,
  {},
  null,
];
const url = list('https://example.com/a.png', NO_URLS);
const NO_URL_LISTS = [
  ...NO_URLS.filter((given) => given !== null && given !== '').map((given) => [given]),
  '{}',
  'x',
];
const urls = list(['https://example.com/a.png'], NO_URL_LISTS);
const taskId = (valid: string) => text(valid, { max: 120, filled: true });
const NO_UUIDS = ['x', '', 5, null, `${UUID}0`, UUID.toUpperCase()];
const instant = list(new Date(), [new Date(Number.NaN), '2026-01-01', 5, {}]);
const time = list(3_600_000, [...integer(1).malformed, -1, 86_400_001]);
const lease = list(3_600_000, [...time.malformed, 0]);
const holder = filters({ holder: text('somebody', { max: 100, filled: true }), leaseMs: lease });
const slots = filters({
  image: list(1, [...integer(1).malformed, -1]),
  video: list(0, [...integer(1).malformed, -1]),
});
const message = text('message', { nullable: true });

const claimOf = (rows: SweepRows, end: keyof SweepSora['claims']): Argument => {
  const claim = rows.sora.claims[end];
  return object({ taskId: taskId(claim.taskId), claimId: list(claim.claimId, NO_UUIDS) });
};
const leaseOf = ({ sora }: SweepRows): Argument =>
  object({ leaseId: list(sora.lease.leaseId, NO_UUIDS), accountId: id(sora.lease.accountId) });

export const soraAccountsOf = (rows: SweepRows): SweepCalls['soraAccounts'] => ({
  getByAccountId: [optionalId(rows.account)],
  getByAccountIds: [ids([rows.account])],
  upsert: [
    id(rows.account),
    object({
      accessToken: text(`${SECRET} new of ${rows.name}`, { filled: true, nullable: true }),
      clientId: text('client', { nullable: true }),
      useCount: list(1, [...integer(1).malformed.filter((value) => value !== null), -1]),
      soraSupported: list(true, ['true', 1, {}]),
      subscriptionEnd: instant,
      imageConcurrency: list(4, [...integer(1).malformed.filter((value) => value !== null), -2]),
    }),
  ],
  countUse: [id(rows.account)],
  findTokens: [id(rows.account)],
  countTokensByKey: [],
  reencryptTokens: [filters({ batch: list(10, [...integer(1).malformed, 0]), after: optionalId(null) })],
});

export const soraUsageStatsOf = (rows: SweepRows): SweepCalls['soraUsageStats'] => ({
  recordSuccess: [optionalId(rows.account), flag(true)],
  recordError: [optionalId(rows.account)],
  resetConsecutiveErrors: [optionalId(rows.account)],
  getByAccountId: [optionalId(rows.account)],
  getByAccountIds: [ids([rows.account])],
  list: [clamped({ page: 1, pageSize: 50 })],
});

export const soraTasksOf = (rows: SweepRows): SweepCalls['soraTasks'] => ({
  create: [
    object({
      taskId: taskId(`new of ${rows.name}`),
      accountId: id(rows.account),
      model: taskId('model'),
      prompt: text('prompt'),
      progress: list(0, [-1, 101, Number.NaN, '1', null]),
    }),
  ],
  findByTaskId: [text(`new of ${rows.name}`)],
  updateStatus: [
    text(`new of ${rows.name}`),
    word('processing'),
    list(5, [-1, 101, Number.NaN, '1', null, undefined]),
    urls,
    message,
    instant,
  ],
  claim: [
    object({
      worker: text('worker', { max: 100, filled: true }),
      leaseMs: lease,
      limit: list(1, [...integer(1).malformed.filter((value) => value !== null), 0, 1001]),
      maxAttempts: list(5, [...integer(1).malformed.filter((value) => value !== null), 0]),
    }),
  ],
  extend: [claimOf(rows, 'extend'), lease, list(5, [-1, 101, '1', null])],
  complete: [claimOf(rows, 'complete'), urls],
  fail: [claimOf(rows, 'fail'), message],
  retry: [claimOf(rows, 'retry'), time, message],
  release: [claimOf(rows, 'release')],
  listDeadLetters: [filters({ afterId: optionalId(null), limit: integer(5) })],
  requeueDeadLetters: [list(['none'], [null, 'none', 5, [5], ['']])],
  failDeadLetters: [list(['none'], [null, 'none', 5, [5], ['']]), message],
});

export const soraCacheFilesOf = (rows: SweepRows): SweepCalls['soraCacheFiles'] => ({
  create: [
    object({
      taskId: text('task', { max: 120, nullable: true }),
      accountId: id(rows.account),
      userId: id(rows.user),
      mediaType: word('image'),
      originalUrl: url,
      cachePath: list('a/b.png', ['', '../a', 'a/../../b', 'a\\..\\b', 5, null]),
      cacheUrl: list('/a.png', [...NO_URLS, '//example.com/', '/\\example.com', '/\t/example.com']),
      sizeBytes: list(5, [-1, 1.5, '5', null, 20 * 1024 * 1024 + 1]),
    }),
  ],
  listOldest: [integer(5)],
  deleteByIds: [ids([rows.sora.file])],
  removeOldest: [
    object({
      olderThanMs: list(3_600_000, [...integer(1).malformed, -1]),
      batch: list(10, [...integer(1).malformed.filter((value) => value !== null), 0]),
      except: ids([rows.sora.file], { nullable: true }),
    }),
    list(() => undefined, [null, 5, {}]),
  ],
});

export const soraSlotsOf = (rows: SweepRows): SweepCalls['soraSlots'] => ({
  acquire: [id(rows.account), slots, holder],
  extend: [leaseOf(rows), lease],
  release: [leaseOf(rows)],
  inUse: [id(rows.account)],
  withSlots: [id(rows.account), slots, holder, list(async () => 1, [null, 5, {}])],
});
