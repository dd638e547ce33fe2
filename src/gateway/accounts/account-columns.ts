import type { Amount, Id } from '../../kit/columns/index.ts';
import { storedInstantOrNull } from '../../kit/orm/index.ts';

/** How an account is let in by its platform. No constraint of the database says it, nor what the next ones may be. */
export const ACCOUNT_TYPES = ['oauth', 'setup-token', 'apikey'] as const;

/** 'error' is what `setError` writes; neither it nor 'disabled' is ever chosen. */
export const ACCOUNT_STATUSES = ['active', 'disabled', 'error'] as const;

export type AccountType = (typeof ACCOUNT_TYPES)[number];
export type AccountStatus = (typeof ACCOUNT_STATUSES)[number];

/**
 * An account's own columns. `credentials` is not enumerable: it is in no log, no JSON and no copy of the record.
 */
export interface AccountColumns {
  readonly id: Id;
  readonly name: string;
  readonly notes: string | null;
  readonly platform: string;
  readonly type: string;
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly extra: Readonly<Record<string, unknown>>;
  /** Stays visible when the proxy itself is deleted. */
  readonly proxyId: Id | null;
  readonly concurrency: number;
  /** A smaller one is preferred. */
  readonly priority: number;
  readonly rateMultiplier: Amount;
  readonly status: string;
  /** Empty for none, and so are the other texts about the state. */
  readonly errorMessage: string;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly autoPauseOnExpired: boolean;
  readonly schedulable: boolean;
  readonly rateLimitedAt: Date | null;
  readonly rateLimitResetAt: Date | null;
  readonly overloadUntil: Date | null;
  readonly tempUnschedulableUntil: Date | null;
  readonly tempUnschedulableReason: string;
  readonly sessionWindowStart: Date | null;
  readonly sessionWindowEnd: Date | null;
  readonly sessionWindowStatus: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The columns as they come out of a table or of the ORM. */
export type StoredColumns = {
  readonly [Column in keyof AccountColumns]: Date extends AccountColumns[Column]
    ? Date | string | null | undefined
    : AccountColumns[Column] extends string
      ? string | null | undefined
      : AccountColumns[Column];
} & { readonly id: Id; readonly name: string; readonly platform: string };

/** The columns of a table called `a`, by the names of {@link StoredColumns}. */
export const ACCOUNT_COLUMNS = `a.id, a.name, a.notes, a.platform, a.type, a.credentials, a.extra, a.proxy_id as "proxyId",
  a.concurrency, a.priority, a.rate_multiplier as "rateMultiplier", a.status, a.error_message as "errorMessage",
  a.last_used_at as "lastUsedAt", a.expires_at as "expiresAt", a.auto_pause_on_expired as "autoPauseOnExpired",
  a.schedulable, a.rate_limited_at as "rateLimitedAt", a.rate_limit_reset_at as "rateLimitResetAt",
  a.overload_until as "overloadUntil", a.temp_unschedulable_until as "tempUnschedulableUntil",
  a.temp_unschedulable_reason as "tempUnschedulableReason", a.session_window_start as "sessionWindowStart",
  a.session_window_end as "sessionWindowEnd", a.session_window_status as "sessionWindowStatus",
  a.created_at as "createdAt", a.updated_at as "updatedAt"`;

export function accountColumns(stored: StoredColumns): AccountColumns {
  const columns = {
    id: stored.id,
    name: stored.name,
    notes: stored.notes ?? null,
    platform: stored.platform,
    type: stored.type ?? '',
    extra: stored.extra,
    proxyId: stored.proxyId ?? null,
    concurrency: stored.concurrency,
    priority: stored.priority,
    rateMultiplier: stored.rateMultiplier ?? '',
    status: stored.status ?? '',
    errorMessage: stored.errorMessage ?? '',
    lastUsedAt: storedInstantOrNull(stored.lastUsedAt),
    expiresAt: storedInstantOrNull(stored.expiresAt),
    autoPauseOnExpired: stored.autoPauseOnExpired,
    schedulable: stored.schedulable,
    rateLimitedAt: storedInstantOrNull(stored.rateLimitedAt),
    rateLimitResetAt: storedInstantOrNull(stored.rateLimitResetAt),
    overloadUntil: storedInstantOrNull(stored.overloadUntil),
    tempUnschedulableUntil: storedInstantOrNull(stored.tempUnschedulableUntil),
    tempUnschedulableReason: stored.tempUnschedulableReason ?? '',
    sessionWindowStart: storedInstantOrNull(stored.sessionWindowStart),
    sessionWindowEnd: storedInstantOrNull(stored.sessionWindowEnd),
    sessionWindowStatus: stored.sessionWindowStatus ?? '',
    createdAt: storedInstantOrNull(stored.createdAt),
    updatedAt: storedInstantOrNull(stored.updatedAt),
  };
  const { credentials } = stored;
  return Object.defineProperty(columns, 'credentials', { value: credentials }) as unknown as AccountColumns;
}
