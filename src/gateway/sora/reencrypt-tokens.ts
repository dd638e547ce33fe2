import type { Id } from '../../kit/columns/index.ts';
import { isDataError } from '../../kit/errors/index.ts';
import { type DataEntityManager, unitOfWork } from '../../kit/orm/index.ts';
import type { SoraKeyRing } from './sora-keys.ts';
import { decryptToken, encryptToken, TOKEN_COLUMNS, TOKEN_PREFIX, type TokenColumn } from './token-cipher.ts';

/** What a batch of a re-encryption has done. */
export interface Reencrypted {
  /** Accounts whose tokens are now under the current key. */
  readonly written: number;
  /** Accounts with a token that cannot be decrypted. They stay as they are. */
  readonly unreadable: readonly Id[];
  /** Where the next batch begins; null: nothing is behind it, but for what other workers hold. */
  readonly next: Id | null;
}

type Row = { readonly account_id: Id } & Readonly<Record<TokenColumn, string | null>>;

const isStale = TOKEN_COLUMNS.map((column) => `(${column} is not null and not starts_with(${column}, ?))`);

// SKIP LOCKED shares the accounts among workers. It passes over one that somebody else writes or takes slots of, too, whose tokens may
// stay as they are: countTokensByKey says so, and another round finds it.
const TAKE = `select account_id, ${TOKEN_COLUMNS.join(', ')} from sora_accounts
  where account_id > ?::bigint and (${isStale.join(' or ')})
  order by account_id limit ? for update skip locked`;

const WRITE = `update sora_accounts s set ${TOKEN_COLUMNS.map((column) => `${column} = g.${column}`).join(', ')}, updated_at = now()
  from json_to_recordset(?::json) as g (account_id bigint, ${TOKEN_COLUMNS.map((column) => `${column} text`).join(', ')})
  where s.account_id = g.account_id`;

/**
 * Brings a batch of accounts under the current key, in one transaction. It keeps nothing between batches: whoever is killed leaves
 * whole batches, and any number of workers may go on.
 */
export async function reencryptBatch(
  em: DataEntityManager,
  ring: SoraKeyRing,
  { batch, after }: { readonly batch: number; readonly after: Id },
): Promise<Reencrypted> {
  const current = `${TOKEN_PREFIX}${ring.current}:`;
  return unitOfWork(em, async (tx) => {
    const rows = await tx.execute<Row[]>(TAKE, [after, ...TOKEN_COLUMNS.map(() => current), batch]);
    const renewed = rows.map((row) => ({ id: row.account_id, tokens: renewedTokens(ring, row) }));
    const written = renewed.flatMap(({ id, tokens }) => (tokens ? [{ account_id: id, ...tokens }] : []));
    if (written.length > 0) await tx.execute(WRITE, [JSON.stringify(written)], 'run');
    return {
      written: written.length,
      unreadable: renewed.filter(({ tokens }) => !tokens).map(({ id }) => id),
      next: rows.length < batch ? null : (rows.at(-1)?.account_id ?? null),
    };
  });
}

/** Undefined where one of them cannot be read: nothing is written over it. */
function renewedTokens(ring: SoraKeyRing, row: Row): Record<TokenColumn, string | null> | undefined {
  const renew = (column: TokenColumn): string | null => {
    const [place, stored] = [{ accountId: row.account_id, column }, row[column]];
    return stored === null ? null : encryptToken(ring, place, decryptToken(ring, place, stored));
  };
  try {
    return Object.fromEntries(TOKEN_COLUMNS.map((column) => [column, renew(column)])) as Record<
      TokenColumn,
      string | null
    >;
  } catch (error) {
    if (isDataError(error, 'SORA_KEY_UNKNOWN') || isDataError(error, 'SORA_TOKEN_UNREADABLE'))
      return undefined;
    throw error;
  }
}
