import type { Id } from '../../kit/columns/index.ts';
import type { DataEntityManager } from '../../kit/orm/index.ts';
import { HiddenToken } from './hidden-token.ts';
import type { SoraTokens } from './sora-account-record.ts';
import type { SoraKeyRing } from './sora-keys.ts';
import { decryptToken, TOKEN_COLUMNS, TOKEN_PREFIX, type TokenColumn } from './token-cipher.ts';

type StoredTokens = Readonly<Record<TokenColumn, string | null>>;

const READ = `select ${TOKEN_COLUMNS.map((column) => `s.${column}`).join(', ')}
  from sora_accounts s join accounts a on a.id = s.account_id and a.deleted_at is null
  where s.account_id = ?`;

const KEYS = `select case when starts_with(t.token, '${TOKEN_PREFIX}') then split_part(t.token, ':', 3) end as key, count(*)::int as count
  from sora_accounts s cross join lateral (values ${TOKEN_COLUMNS.map((column) => `(s.${column})`).join(', ')}) t (token)
  where t.token is not null group by 1 order by 1 nulls first`;

/** The tokens of a live account; null where there is none. @throws RuleError when one cannot be decrypted. */
export async function readTokens(
  em: DataEntityManager,
  accountId: Id,
  ring: SoraKeyRing | null,
): Promise<SoraTokens | null> {
  const [row] = await em.execute<StoredTokens[]>(READ, [accountId]);
  if (!row) return null;
  const hidden = (column: TokenColumn): HiddenToken | null => {
    const stored = row[column];
    return stored === null ? null : new HiddenToken(decryptToken(ring, { accountId, column }, stored));
  };
  return {
    accessToken: hidden('access_token'),
    sessionToken: hidden('session_token'),
    refreshToken: hidden('refresh_token'),
  };
}

/** How many tokens each key has encrypted, by its name; under null those that are plain. */
export async function countTokensByKey(em: DataEntityManager): Promise<Map<string | null, number>> {
  const rows = await em.execute<{ key: string | null; count: number }[]>(KEYS);
  return new Map(rows.map(({ key, count }) => [key, count]));
}
