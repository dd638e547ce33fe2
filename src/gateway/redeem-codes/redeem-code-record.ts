import type { Amount, Id } from '../../kit/columns/index.ts';
import type { GroupRecord } from '../groups/group-record.ts';
import type { RelatedUser } from '../users/users-by-id.ts';
import type { RedeemCode } from './redeem-code.entity.ts';

/** What a code gives. The two of an administrator are records of a change by hand and are stored as used. */
export const REDEEM_TYPES = [
  'balance',
  'concurrency',
  'subscription',
  'admin_balance',
  'admin_concurrency',
] as const;
export type RedeemType = (typeof REDEEM_TYPES)[number];

export const REDEEM_STATUSES = ['unused', 'used', 'expired'] as const;
export type RedeemStatus = (typeof REDEEM_STATUSES)[number];

/** A code as the repository answers. `code` is worth what it gives: it is not enumerable, and in no log and no JSON. */
export interface RedeemCodeRecord {
  readonly id: Id;
  readonly code: string;
  readonly type: string;
  readonly value: Amount;
  readonly status: string;
  readonly usedBy: Id | null;
  readonly usedAt: Date | null;
  readonly notes: string | null;
  readonly groupId: Id | null;
  readonly validityDays: number;
  readonly createdAt: Date;
}

/** A code with its group, null when there is none or it is deleted. */
export interface RedeemCodeWithGroup extends RedeemCodeRecord {
  readonly group: GroupRecord | null;
}

/** A code with its group and who has used it, each null when there is none or it is deleted. */
export interface RedeemCodeWithRelations extends RedeemCodeWithGroup {
  readonly user: RelatedUser | null;
}

/** What a new code needs; what is left out has the column's default (`balance`, `unused`, 30 days). */
export interface NewRedeemCode {
  readonly code: string;
  readonly value: Amount;
  readonly type?: RedeemType;
  readonly status?: RedeemStatus;
  readonly usedBy?: Id | null;
  readonly usedAt?: Date | null;
  readonly notes?: string | null;
  readonly groupId?: Id | null;
  readonly validityDays?: number;
}

/** What is left out stays; null clears a column that may be empty. */
export type RedeemCodeChange = { readonly id: Id } & Partial<NewRedeemCode>;

export interface RedeemCodeFilters {
  readonly type?: RedeemType;
  readonly status?: RedeemStatus;
  /** Part of the code, in any case. */
  readonly search?: string;
}

export function redeemCodeRecord(row: RedeemCode): RedeemCodeRecord {
  const { id, type, value, status, validityDays, createdAt } = row;
  const record = {
    id,
    type,
    value,
    status,
    validityDays,
    createdAt,
    usedBy: row.usedBy?.id ?? null,
    usedAt: row.usedAt ?? null,
    notes: row.notes ?? null,
    groupId: row.group?.id ?? null,
  };
  return Object.defineProperty(record, 'code', { value: row.code }) as RedeemCodeRecord;
}
