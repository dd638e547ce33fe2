import { type StoredInstant, storedInstant, storedInstantOrNull } from '../../kit/orm/index.ts';
import type { Id } from '../../kit/columns/index.ts';
import type { HiddenToken } from './hidden-token.ts';

/** What an account has at the platform, without its tokens. What is NULL in a table of the original is the column's default. */
export interface SoraAccountRecord {
  readonly id: Id;
  readonly accountId: Id;
  readonly hasAccessToken: boolean;
  readonly hasSessionToken: boolean;
  readonly hasRefreshToken: boolean;
  readonly clientId: string | null;
  readonly email: string | null;
  readonly username: string | null;
  readonly remark: string | null;
  readonly useCount: number;
  readonly planType: string | null;
  readonly planTitle: string | null;
  readonly subscriptionEnd: Date | null;
  readonly soraSupported: boolean;
  readonly soraInviteCode: string | null;
  readonly soraRedeemedCount: number;
  readonly soraRemainingCount: number;
  readonly soraTotalCount: number;
  readonly soraCooldownUntil: Date | null;
  readonly cooledUntil: Date | null;
  readonly imageEnabled: boolean;
  readonly videoEnabled: boolean;
  /** How many at once; below 0: any number. */
  readonly imageConcurrency: number;
  readonly videoConcurrency: number;
  readonly isExpired: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** The tokens of an account; null for one that it has not. */
export interface SoraTokens {
  readonly accessToken: HiddenToken | null;
  readonly sessionToken: HiddenToken | null;
  readonly refreshToken: HiddenToken | null;
}

type Given = Omit<
  SoraAccountRecord,
  'id' | 'accountId' | 'hasAccessToken' | 'hasSessionToken' | 'hasRefreshToken' | 'createdAt' | 'updatedAt'
>;

/** What is left out stays; null clears, and gives a column that is never empty its default. */
export type SoraAccountPatch = { readonly [K in keyof Given]?: Given[K] | null } & {
  readonly accessToken?: string | null;
  readonly sessionToken?: string | null;
  readonly refreshToken?: string | null;
};

type Instants = 'subscriptionEnd' | 'soraCooldownUntil' | 'cooledUntil';

/** A row of a statement that selects {@link SORA_ACCOUNT_COLUMNS}. */
export type SoraAccountRow = Omit<SoraAccountRecord, Instants | 'createdAt' | 'updatedAt'> & {
  readonly [K in Instants]: StoredInstant | null;
} & { readonly createdAt: StoredInstant; readonly updatedAt: StoredInstant };

/** The columns of a table called `s`, by the names of the record. The tokens themselves never leave the database here. */
export const SORA_ACCOUNT_COLUMNS = `s.id, s.account_id as "accountId",
  s.access_token is not null as "hasAccessToken", s.session_token is not null as "hasSessionToken",
  s.refresh_token is not null as "hasRefreshToken", s.client_id as "clientId", s.email, s.username, s.remark,
  coalesce(s.use_count, 0) as "useCount", s.plan_type as "planType", s.plan_title as "planTitle",
  s.subscription_end as "subscriptionEnd", coalesce(s.sora_supported, false) as "soraSupported",
  s.sora_invite_code as "soraInviteCode", coalesce(s.sora_redeemed_count, 0) as "soraRedeemedCount",
  coalesce(s.sora_remaining_count, 0) as "soraRemainingCount", coalesce(s.sora_total_count, 0) as "soraTotalCount",
  s.sora_cooldown_until as "soraCooldownUntil", s.cooled_until as "cooledUntil",
  coalesce(s.image_enabled, true) as "imageEnabled", coalesce(s.video_enabled, true) as "videoEnabled",
  coalesce(s.image_concurrency, -1) as "imageConcurrency", coalesce(s.video_concurrency, -1) as "videoConcurrency",
  coalesce(s.is_expired, false) as "isExpired", s.created_at as "createdAt", s.updated_at as "updatedAt"`;

export function soraAccountRecord(row: SoraAccountRow): SoraAccountRecord {
  return {
    ...row,
    subscriptionEnd: storedInstantOrNull(row.subscriptionEnd),
    soraCooldownUntil: storedInstantOrNull(row.soraCooldownUntil),
    cooledUntil: storedInstantOrNull(row.cooledUntil),
    createdAt: storedInstant(row.createdAt),
    updatedAt: storedInstant(row.updatedAt),
  };
}
