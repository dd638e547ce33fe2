import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Id } from '../../kit/columns/index.ts';
import { RuleError } from '../../kit/errors/index.ts';
import { gatewayRules } from '../rules.ts';
import type { SoraKeyRing } from './sora-keys.ts';

/** Columns of `sora_accounts` that are encrypted. */
export const TOKEN_COLUMNS = ['access_token', 'session_token', 'refresh_token'] as const;
export type TokenColumn = (typeof TOKEN_COLUMNS)[number];

/** Where a token is stored. It is part of what is proved, so that the text of one row is of no use in another. */
export interface TokenPlace {
  readonly accountId: Id;
  readonly column: TokenColumn;
}

/** Before every encrypted text; behind it the name of the key. What begins otherwise is plain, as the original stores it. */
export const TOKEN_PREFIX = 'sora:v1:';

const ALGORITHM = 'aes-256-gcm';
const NONCE = 12;
const TAG = 16;
const FORM = /^sora:v1:([A-Za-z0-9_-]{1,32}):([A-Za-z0-9_-]+)$/;

/** `sora:v1:KEY:BYTES`, the bytes being a nonce of its own, the tag and the cipher text, in base64url. */
export function encryptToken(ring: SoraKeyRing, place: TokenPlace, token: string): string {
  const nonce = randomBytes(NONCE);
  const cipher = createCipheriv(ALGORITHM, ring.key(ring.current), nonce, { authTagLength: TAG });
  cipher.setAAD(provedWith(ring.current, place));
  const text = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);
  const bytes = Buffer.concat([nonce, cipher.getAuthTag(), text]);
  return `${TOKEN_PREFIX}${ring.current}:${bytes.toString('base64url')}`;
}

/**
 * The token of a stored text; one that is not encrypted is the token itself.
 *
 * @throws RuleError SORA_KEYS_MISSING, SORA_KEY_UNKNOWN, SORA_TOKEN_UNREADABLE; no text of it, and no cause, which might have one.
 */
export function decryptToken(ring: SoraKeyRing | null, place: TokenPlace, stored: string): string {
  if (!stored.startsWith(TOKEN_PREFIX)) return stored;
  if (!ring) throw new RuleError(gatewayRules.SORA_KEYS_MISSING);
  const [, name = '', text = ''] = FORM.exec(stored) ?? [];
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < NONCE + TAG) throw new RuleError(gatewayRules.SORA_TOKEN_UNREADABLE);
  const key = ring.key(name);
  const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE), { authTagLength: TAG });
  decipher.setAAD(provedWith(name, place));
  decipher.setAuthTag(bytes.subarray(NONCE, NONCE + TAG));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE + TAG)), decipher.final()]).toString('utf8');
  } catch {
    throw new RuleError(gatewayRules.SORA_TOKEN_UNREADABLE);
  }
}

function provedWith(key: string, { accountId, column }: TokenPlace): Buffer {
  return Buffer.from(`${TOKEN_PREFIX}${key}:sora_accounts.${column}:${accountId}`);
}
