import type { Amount, Id } from '../../kit/columns/index.ts';
import type { RelatedUser } from '../users/users-by-id.ts';
import type { PromoCodeUsage } from './promo-code-usage.entity.ts';
import type { PromoCode } from './promo-code.entity.ts';

export const PROMO_STATUSES = ['active', 'disabled'] as const;
export type PromoStatus = (typeof PROMO_STATUSES)[number];

/** A promo code as the repository answers. */
export interface PromoCodeRecord {
  readonly id: Id;
  /** In upper case, whatever was given. */
  readonly code: string;
  readonly bonusAmount: Amount;
  /** 0: any number. */
  readonly maxUses: number;
  readonly usedCount: number;
  readonly status: string;
  readonly expiresAt: Date | null;
  readonly notes: string | null;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** What a new promo code needs; what is left out has the column's default. */
export interface NewPromoCode {
  readonly code: string;
  readonly bonusAmount?: Amount;
  readonly maxUses?: number;
  readonly status?: PromoStatus;
  readonly expiresAt?: Date | null;
  readonly notes?: string | null;
}

/** What is left out stays; null clears. The number of uses is never part of it: it counts. */
export type PromoCodeChange = { readonly id: Id } & Partial<NewPromoCode>;

export interface PromoCodeFilters {
  readonly status?: PromoStatus;
  /** Part of the code, in any case. */
  readonly search?: string;
}

/** That a user had the bonus of a code. */
export interface PromoCodeUsageRecord {
  readonly id: Id;
  readonly promoCodeId: Id;
  readonly userId: Id;
  readonly bonusAmount: Amount;
  readonly usedAt: Date;
}

/** A use with the user who had it, null when that is deleted. */
export interface PromoCodeUsageWithUser extends PromoCodeUsageRecord {
  readonly user: RelatedUser | null;
}

export interface NewPromoCodeUsage {
  readonly promoCodeId: Id;
  readonly userId: Id;
  readonly bonusAmount: Amount;
}

export function promoCodeRecord(row: PromoCode): PromoCodeRecord {
  const { id, code, bonusAmount, maxUses, usedCount, status, createdAt, updatedAt } = row;
  const record = { id, code, bonusAmount, maxUses, usedCount, status, createdAt, updatedAt };
  return { ...record, expiresAt: row.expiresAt ?? null, notes: row.notes ?? null };
}

export function promoCodeUsageRecord(row: PromoCodeUsage): PromoCodeUsageRecord {
  const { id, bonusAmount, usedAt } = row;
  return { id, bonusAmount, usedAt, promoCodeId: row.promoCode.id, userId: row.user.id };
}
