import type { Amount, Id } from '../../kit/columns/index.ts';
import type { SubscriptionWithGroup } from '../subscriptions/subscription-record.ts';
import type { User } from './user.entity.ts';

/** A user as the repository answers. `passwordHash` is there to be compared and nothing else: it is not enumerable. */
export interface UserRecord {
  readonly id: Id;
  readonly email: string;
  readonly passwordHash: string;
  readonly role: string;
  readonly balance: Amount;
  readonly concurrency: number;
  readonly status: string;
  readonly username: string;
  readonly notes: string;
  /** Ids ascending. Empty: every group that is not exclusive. */
  readonly allowedGroups: readonly Id[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A user of a list. */
export interface ListedUser extends UserRecord {
  /** By id; those with status 'active', whether expired or not. */
  readonly subscriptions: readonly SubscriptionWithGroup[];
}

/** What a new user needs; the rest has the defaults of the columns. */
export interface NewUser {
  readonly email: string;
  readonly passwordHash: string;
  readonly username?: string;
  readonly notes?: string;
  readonly role?: string;
  readonly balance?: Amount;
  readonly concurrency?: number;
  readonly status?: string;
  readonly allowedGroups?: readonly Id[];
}

/** The profile of a user; what is left out stays. The balance is never part of it: see `setBalance`. */
export interface UserChange extends Partial<Omit<NewUser, 'balance'>> {
  readonly id: Id;
}

export interface UserFilters {
  readonly status?: string;
  readonly role?: string;
  /** Part of the e-mail or of the user name, in any case. */
  readonly search?: string;
  /** By the id of an attribute's definition: part of the user's value, in any case. All must match; '' is no condition. */
  readonly attributes?: ReadonlyMap<Id, string>;
}

export function userRecord(user: User, allowedGroups: readonly Id[]): UserRecord {
  const { id, email, role, balance, concurrency, status, username, notes, createdAt, updatedAt } = user;
  const record = {
    id,
    email,
    role,
    balance,
    concurrency,
    status,
    username,
    notes,
    allowedGroups,
    createdAt,
    updatedAt,
  };
  return Object.defineProperty(record, 'passwordHash', { value: user.passwordHash }) as UserRecord;
}
