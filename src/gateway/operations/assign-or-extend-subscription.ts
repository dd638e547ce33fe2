import type { Id } from '../../kit/columns/index.ts';
import { RuleError } from '../../kit/errors/index.ts';
import { checkId, checkInteger, checkOptionalId, checkText } from '../../kit/input/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { lockLiveGroup } from '../groups/lock-group.ts';
import { gatewayRules } from '../rules.ts';
import { UserSubscription } from '../subscriptions/user-subscription.entity.ts';
import { lockLiveUser } from '../users/lock-user.ts';

export const DEFAULT_DAYS = 30;
export const MOST_DAYS = 36_500;

/** Who gets which group for how long. */
export interface Assignment {
  readonly userId: Id;
  readonly groupId: Id;
  /** Of 24 hours each, 1 to 36500; 30 when left out. */
  readonly days?: number;
  /** Who assigns; kept as it was when the subscription is there already. */
  readonly assignedBy?: Id | null;
  /** Put behind the notes that are there, on a line of its own. */
  readonly notes?: string;
}

/** A subscription as the assignment has left it. */
export interface AssignedSubscription {
  readonly id: Id;
  readonly userId: Id;
  readonly groupId: Id;
  readonly startsAt: Date;
  readonly expiresAt: Date;
  readonly status: string;
  readonly notes: string;
  readonly assignedBy: Id | null;
}

const CAP = `timestamptz '2099-12-31 23:59:59+00'`;
// Hours, because PostgreSQL adds days by the calendar of the session's time zone.
const DAYS = 'make_interval(hours => 24 * ?::int)';
// The type is read from a group that is locked by then. A row that was there carries the lock of the conflict in its xmax, a new one has none.
const ASSIGN = `insert into user_subscriptions as s (user_id, group_id, starts_at, expires_at, assigned_by, notes)
  select ?, id, now(), least(now() + ${DAYS}, ${CAP}), ?, ?
  from groups where id = ? and deleted_at is null and subscription_type = 'subscription'
  on conflict (user_id, group_id) where deleted_at is null do update set
    expires_at = least(greatest(s.expires_at, now()) + ${DAYS}, ${CAP}),
    status = 'active',
    notes = concat_ws(e'\\n', nullif(s.notes, ''), nullif(excluded.notes, '')),
    updated_at = now()
    where s.deleted_at is null
  returning s.*, s.xmax = 0 as created`;

/**
 * Gives a live user a group that is sold by subscription, or more days of it: from its end, or from now when that is over.
 * One statement creates or extends, so two calls at once add both durations. It never goes beyond the end of 2099.
 *
 * @throws NotFoundError USER_NOT_FOUND, GROUP_NOT_FOUND; RuleError GROUP_NOT_SUBSCRIPTION_TYPE; InvalidInputError VALIDATION.
 */
export async function assignOrExtendSubscription(
  em: DataEntityManager,
  assignment: Assignment,
): Promise<{ subscription: AssignedSubscription; created: boolean }> {
  const user = checkId('userId', assignment?.userId);
  const group = checkId('groupId', assignment.groupId);
  const days = checkInteger('days', assignment.days ?? DEFAULT_DAYS, 1, MOST_DAYS);
  const by = checkOptionalId('assignedBy', assignment.assignedBy) ?? null;
  const notes = checkText('notes', assignment.notes ?? '');
  return retryTransaction(em, async (tx) => {
    // The group first: whoever waits for its deletion must not hold a user that the deletion may write.
    await lockLiveGroup(tx, group);
    await lockLiveUser(tx, user);
    const values = [user, days, by, notes, group, days];
    const [row] = await tx.execute<({ created: boolean } & object)[]>(ASSIGN, values);
    if (!row) throw new RuleError(gatewayRules.GROUP_NOT_SUBSCRIPTION_TYPE);
    const { created, ...stored } = row;
    return { subscription: assigned(tx, stored), created };
  });
}

function assigned(em: DataEntityManager, row: object): AssignedSubscription {
  const own = em.fork({ keepTransactionContext: true });
  const { id, user, group, startsAt, expiresAt, status, notes, assignedBy } = own.map(
    UserSubscription,
    row as never,
  );
  return {
    id,
    startsAt,
    expiresAt,
    status,
    userId: user.id,
    groupId: group.id,
    notes: notes ?? '',
    assignedBy: assignedBy?.id ?? null,
  };
}
