import type { Id } from '../../kit/columns/index.ts';
import { InvalidInputError, RuleError } from '../../kit/errors/index.ts';
import { checkInstant, checkInteger, isPlainObject } from '../../kit/input/index.ts';
import { gatewayRules } from '../rules.ts';
import { checkPayload } from './payload.ts';
import type { SoraAccountPatch } from './sora-account-record.ts';
import type { SoraKeyRing } from './sora-keys.ts';
import { encryptToken, TOKEN_PREFIX, type TokenColumn } from './token-cipher.ts';

/** A column of `sora_accounts` that a patch may write. */
interface PatchColumn {
  readonly column: string;
  readonly type: 'text' | 'token' | 'integer' | 'boolean' | 'timestamptz';
  /** What null means where the column is never empty. */
  readonly cleared?: number | boolean;
  readonly min?: number;
  /** In characters, where there is an index, which holds no row of 2,704 bytes and more. */
  readonly max?: number;
}

const text = (column: string, max?: number): PatchColumn => ({
  column,
  type: 'text',
  ...(max !== undefined && { max }),
});
const token = (column: TokenColumn): PatchColumn => ({ column, type: 'token' });
const instant = (column: string): PatchColumn => ({ column, type: 'timestamptz' });
const count = (column: string): PatchColumn => ({ column, type: 'integer', cleared: 0, min: 0 });
const limit = (column: string): PatchColumn => ({ column, type: 'integer', cleared: -1, min: -1 });
const flag = (column: string, cleared: boolean): PatchColumn => ({ column, type: 'boolean', cleared });

const COLUMNS: Readonly<Record<keyof SoraAccountPatch, PatchColumn>> = {
  accessToken: token('access_token'),
  sessionToken: token('session_token'),
  refreshToken: token('refresh_token'),
  clientId: text('client_id'),
  email: text('email'),
  username: text('username'),
  remark: text('remark'),
  useCount: count('use_count'),
  planType: text('plan_type', 120),
  planTitle: text('plan_title'),
  subscriptionEnd: instant('subscription_end'),
  soraSupported: flag('sora_supported', false),
  soraInviteCode: text('sora_invite_code'),
  soraRedeemedCount: count('sora_redeemed_count'),
  soraRemainingCount: count('sora_remaining_count'),
  soraTotalCount: count('sora_total_count'),
  soraCooldownUntil: instant('sora_cooldown_until'),
  cooledUntil: instant('cooled_until'),
  imageEnabled: flag('image_enabled', true),
  videoEnabled: flag('video_enabled', true),
  imageConcurrency: limit('image_concurrency'),
  videoConcurrency: limit('video_concurrency'),
  isExpired: flag('is_expired', false),
};

/** A column with what is to be stored in it. */
export interface WrittenColumn {
  readonly column: string;
  /** The type of the column in SQL. */
  readonly type: string;
  readonly value: unknown;
}

/**
 * The columns that a patch gives, tokens encrypted.
 *
 * @throws InvalidInputError (code VALIDATION) for a key that is none, too; RuleError SORA_KEYS_MISSING.
 */
export function checkedPatch(
  accountId: Id,
  patch: SoraAccountPatch,
  ring: SoraKeyRing | null,
): WrittenColumn[] {
  if (!isPlainObject(patch)) throw new InvalidInputError('patch', 'be a plain object');
  if (!Object.keys(patch).every((key) => Object.hasOwn(COLUMNS, key)))
    throw new InvalidInputError('patch', `have no other keys than ${Object.keys(COLUMNS).join(', ')}`);
  const given = Object.entries(COLUMNS).filter(([key]) => patch[key as keyof SoraAccountPatch] !== undefined);
  const checked = given.map(([key, rule]) => ({
    rule,
    value: checkedValue(key, rule, patch[key as keyof SoraAccountPatch]),
  }));
  return checked.map(({ rule: { column, type }, value }) => {
    if (type !== 'token') return { column, type, value };
    const stored = value === null ? null : encrypted(ring, accountId, column, value as string);
    return { column, type: 'text', value: stored };
  });
}

function checkedValue(key: string, { type, cleared, min, max }: PatchColumn, value: unknown): unknown {
  if (value === null) return cleared ?? null;
  if (type === 'integer') return checkInteger(key, value, min);
  if (type === 'timestamptz') return checkInstant(key, value);
  if (type === 'text') return checkPayload(key, value, max === undefined ? {} : { max });
  if (type === 'token') return checkedToken(key, value);
  if (typeof value !== 'boolean') throw new InvalidInputError(key, 'be true or false');
  return value;
}

/** A token that begins as an encrypted one does would be taken for one. */
function checkedToken(key: string, value: unknown): string {
  const given = checkPayload(key, value, { filled: true });
  if (given.startsWith(TOKEN_PREFIX)) throw new InvalidInputError(key, `not begin with "${TOKEN_PREFIX}"`);
  return given;
}

function encrypted(ring: SoraKeyRing | null, accountId: Id, column: string, value: string): string {
  if (!ring) throw new RuleError(gatewayRules.SORA_KEYS_MISSING);
  return encryptToken(ring, { accountId, column: column as TokenColumn }, value);
}
