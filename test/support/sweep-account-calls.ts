import {
  amount,
  type Argument,
  clamped,
  filter,
  filters,
  flag,
  id,
  ids,
  integer,
  list,
  object,
  optionalId,
  options,
  SECRET,
  text,
  word,
  wordFilter,
} from './sweep-arguments.ts';
import type { SweepCalls, SweepRows } from './sweep-calls.ts';

const page = clamped({ page: 1, pageSize: 50 });
const NO_INSTANTS = [new Date(Number.NaN), '2026-01-01', 5, {}, new Date(8.64e15), '', 0, false];
const instant = list(new Date('2030-01-01'), NO_INSTANTS);
const json = (valid: unknown): Argument =>
  list(valid, [5, 'a', [], [1], { a: 'b\0' }, new Map(), '', 0, false]);

const STATE = {
  expiresAt: instant,
  rateLimitedAt: instant,
  tempUnschedulableReason: text('why', { nullable: true }),
  sessionWindowStatus: text('open', { max: 20, nullable: true }),
  schedulable: flag(true),
};
const ACCOUNT = {
  ...STATE,
  name: text('account', { max: 100, filled: true }),
  platform: word('openai'),
  type: word('oauth'),
  notes: text('notes', { nullable: true }),
  credentials: json({ token: SECRET }),
  extra: json({ a: 1 }),
  // None: the proxy is deleted later on.
  proxyId: optionalId('0'),
  concurrency: integer(3),
  priority: integer(3),
  rateMultiplier: amount('1.5', { decimals: 4 }),
  status: word('active'),
};

const readsOf = (rows: SweepRows) => ({
  getById: [id(rows.account)],
  findById: [id(rows.account)],
  getByIds: [ids([rows.account])],
  existsById: [id(rows.account)],
  getByCrsAccountId: [text('none')],
  list: [page],
  listWithFilters: [
    page,
    filters({
      platform: wordFilter('openai'),
      type: wordFilter('oauth'),
      status: wordFilter('active'),
      search: filter('a'),
    }),
  ],
  listByGroup: [id(rows.group)],
  listActive: [],
  listByPlatform: [word('openai')],
  listSchedulable: [],
  listSchedulableByGroupId: [id(rows.group)],
  listSchedulableByPlatform: [word('openai')],
  listSchedulableByGroupIdAndPlatform: [id(rows.group), word('openai')],
  listSchedulableByPlatforms: [
    list(['openai'], [null, 5, [5], ['a\0'], ['openai', 'other'], [''], Array(1)]),
  ],
  listSchedulableByGroupIdAndPlatforms: [
    id(rows.group),
    list(['openai'], [null, 5, [5], ['a\0'], ['openai', 'other'], [''], Array(1)]),
  ],
  getGroups: [id(rows.account)],
});

export const accountsOf = (rows: SweepRows): SweepCalls['accounts'] => ({
  create: [object(ACCOUNT)],
  ...readsOf(rows),
  update: [object({ id: id(rows.account), ...ACCOUNT })],
  bulkUpdate: [
    ids([rows.account]),
    object({
      name: text('account', { max: 100, filled: true }),
      priority: integer(4),
      status: word('active'),
      credentials: json({ token: SECRET }),
    }),
  ],
  updateLastUsed: [id(rows.account)],
  batchUpdateLastUsed: [
    list(new Map([[rows.account, new Date()]]), [
      null,
      {},
      new Map([['0', new Date()]]),
      new Map([[rows.account, new Date(Number.NaN)]]),
    ]),
  ],
  setError: [id(rows.account), text('why')],
  setSchedulable: [id(rows.account), flag(true)],
  setRateLimited: [id(rows.account), instant],
  setOverloaded: [id(rows.account), instant],
  setTempUnschedulable: [id(rows.account), instant, text('why')],
  clearTempUnschedulable: [id(rows.account)],
  clearRateLimit: [id(rows.account)],
  updateSessionWindow: [id(rows.account), instant, instant, text('open', { max: 20 })],
  setModelRateLimit: [id(rows.account), text('model'), instant],
  setAntigravityQuotaScopeLimit: [id(rows.account), list('claude', ['other', 5, null, 'a\0']), instant],
  clearModelRateLimits: [id(rows.account)],
  clearAntigravityQuotaScopes: [id(rows.account)],
  updateExtra: [
    id(rows.account),
    json({ a: 2 }),
    options({ affectsScheduling: false }, [
      { affectsScheduling: 0 },
      { affectsScheduling: null },
      { removeKeys: 'a' },
    ]),
  ],
  autoPauseExpiredAccounts: [instant, list(10, [0, -1, 10_001, 1.5, '5', null])],
  addToGroup: [id(rows.account), id(rows.group), integer(1)],
  removeFromGroup: [id(rows.account), id(rows.group)],
  bindGroups: [id(rows.account), ids([rows.group])],
  delete: [id(rows.account)],
});

const position = list({ txid: '0', id: '0' }, [null, 5, {}, { txid: 'a', id: '1' }, { txid: '1', id: '-1' }]);
const consumer = text('consumer', { max: 100, filled: true });
const badAttempts = [0, -1, 1.5, '2', null].map((maxAttempts) => ({ maxAttempts }));

export const outboxOf = (): SweepCalls['schedulerOutbox'] => ({
  enqueue: [text('full_rebuild', { filled: true }), optionalId('1'), optionalId('1'), json({ a: 1 })],
  listAfter: [position, integer(10)],
  horizon: [],
  maxId: [],
  advanceWatermark: [consumer, position],
  watermark: [consumer],
  recordFailure: [consumer, position, list(new Error(SECRET), []), options({ maxAttempts: 2 }, badAttempts)],
  listDeadLetters: [consumer, options({ limit: 5 }, [{ limit: '5' }, { limit: 1.5 }, { afterId: 'x' }])],
  putBackDeadLetters: [consumer, ids(['1'])],
  discardDeadLetters: [consumer, ids(['1'])],
  deleteConsumedUpTo: [
    position,
    integer(10),
    options({ graceSeconds: 0 }, [{ graceSeconds: -1 }, { graceSeconds: '5' }, { graceSeconds: Number.NaN }]),
  ],
  forgetConsumer: [consumer],
});
