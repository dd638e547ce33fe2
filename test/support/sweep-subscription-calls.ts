import {
  type Argument,
  amount,
  clamped,
  filters,
  id,
  integer,
  list,
  optionalId,
  text,
  word,
  wordFilter,
} from './sweep-arguments.ts';
import type { SweepCalls, SweepRows } from './sweep-calls.ts';

const DAY = 24 * 60 * 60 * 1000;
const NO_INSTANTS = [
  '2030-01-01',
  5,
  {},
  new Date('x'),
  new Date(8.64e15),
  new Date('-000001-01-01T00:00:00Z'),
  '',
  0,
  false,
];
const instant = (valid: Date | null, nullable = false): Argument =>
  list(valid, nullable ? NO_INSTANTS : [...NO_INSTANTS, null]);
const soon = () => new Date(Date.now() + DAY);
const SUBSCRIPTION = () => ({
  startsAt: instant(new Date()),
  status: word('active'),
  assignedAt: instant(new Date()),
  notes: text('notes', { nullable: true }),
});

// Null has a code of its own here, so it is not among what is malformed.
export const subscriptionsOf = (rows: SweepRows): SweepCalls['subscriptions'] => ({
  create: [
    filters({
      ...SUBSCRIPTION(),
      userId: id(rows.other),
      groupId: id(rows.group),
      expiresAt: instant(soon()),
      assignedBy: optionalId(rows.user),
    }),
  ],
  getById: [id(rows.subscription)],
  findById: [id(rows.subscription)],
  getByUserIdAndGroupId: [id(rows.user), id(rows.group)],
  findByUserIdAndGroupId: [id(rows.user), id(rows.group)],
  getActiveByUserIdAndGroupId: [id(rows.user), id(rows.group)],
  findActiveByUserIdAndGroupId: [id(rows.user), id(rows.group)],
  update: [
    filters({
      ...SUBSCRIPTION(),
      id: id(rows.subscription),
      expiresAt: instant(soon()),
      assignedBy: optionalId(rows.user),
    }),
  ],
  listByUserId: [id(rows.user)],
  listActiveByUserId: [id(rows.user)],
  listByGroupId: [id(rows.group), clamped({ page: 1, pageSize: 50 })],
  list: [
    clamped({ page: 1, pageSize: 50 }),
    filters({ userId: optionalId(rows.user), groupId: optionalId(rows.group), status: wordFilter('active') }),
  ],
  existsByUserIdAndGroupId: [id(rows.user), id(rows.group)],
  extendExpiry: [id(rows.subscription), instant(soon())],
  extendByDays: [id(rows.subscription), integer(3)],
  updateStatus: [id(rows.subscription), word('active')],
  updateNotes: [id(rows.subscription), text('notes')],
  activateWindows: [id(rows.subscription), instant(new Date())],
  resetDailyUsage: [id(rows.subscription), instant(new Date(), true)],
  resetWeeklyUsage: [id(rows.subscription), instant(new Date(), true)],
  resetMonthlyUsage: [id(rows.subscription), instant(new Date(), true)],
  resetExpiredWindows: [id(rows.subscription), instant(new Date())],
  checkWindows: [id(rows.subscription), instant(new Date())],
  incrementUsage: [id(rows.subscription), amount('1')],
  batchUpdateExpiredStatus: [integer(1000)],
  listExpired: [],
  countByGroupId: [id(rows.group)],
  countActiveByGroupId: [id(rows.group)],
  delete: [id(rows.subscription)],
  deleteByGroupId: [id(rows.group)],
});
