import type { Id } from '../../kit/columns/index.ts';
import { RuleError } from '../../kit/errors/index.ts';
import { checkGiven, checkId, checkIds, checkInteger, checkOptionalId } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayRules } from '../rules.ts';
import { type Reencrypted, reencryptBatch } from './reencrypt-tokens.ts';
import { checkedPatch } from './sora-account-input.ts';
import {
  SORA_ACCOUNT_COLUMNS,
  type SoraAccountPatch,
  soraAccountRecord,
  type SoraAccountRecord,
  type SoraAccountRow,
  type SoraTokens,
} from './sora-account-record.ts';
import { type SoraKeyOptions, type SoraKeyRing, soraKeyRing } from './sora-keys.ts';
import { countTokensByKey, readTokens } from './sora-tokens.ts';
import { upsertSoraAccount } from './upsert-sora-account.ts';

const READ = `select ${SORA_ACCOUNT_COLUMNS} from sora_accounts s where s.account_id = any (?::bigint[]) order by s.account_id`;
const COUNT_USE = `update sora_accounts set use_count = coalesce(use_count, 0) + 1, updated_at = now() where account_id = ?`;

/**
 * What accounts have at the platform. Tokens are stored encrypted and are in no record: only `findTokens` reads them. Every
 * method joins the transaction of the entity manager that it was given.
 */
export class SoraAccountRepository {
  readonly #em: DataEntityManager;
  readonly #ring: SoraKeyRing | null;

  static {
    placeReads(this, (own) => own.#em);
  }

  /** @throws InvalidInputError VALIDATION for keys that are none. */
  constructor(em: DataEntityManager, options: SoraKeyOptions = {}) {
    this.#em = em;
    this.#ring = soraKeyRing(options);
  }

  /** Without tokens. Null when there is none, and for an id that is none; that of a deleted account is still there. */
  async getByAccountId(accountId: Id): Promise<SoraAccountRecord | null> {
    const id = checkOptionalId('accountId', accountId);
    return id === undefined ? null : ((await this.#read([id])).get(id) ?? null);
  }

  /** Those that are there, by the ids of their accounts, without tokens; no statement for no ids. */
  async getByAccountIds(accountIds: readonly Id[]): Promise<Map<Id, SoraAccountRecord>> {
    return this.#read(checkIds('accountIds', accountIds));
  }

  /**
   * Writes the given columns, of a row that is there or of a new one, in one statement; null clears, or gives a counter, a flag
   * or a limit its default.
   *
   * @throws InvalidInputError VALIDATION, for an unknown key too; NotFoundError ACCOUNT_NOT_FOUND; RuleError SORA_KEYS_MISSING.
   */
  async upsert(accountId: Id, patch: SoraAccountPatch): Promise<SoraAccountRecord> {
    const id = checkId('accountId', accountId);
    return upsertSoraAccount(this.#em, id, checkedPatch(id, patch, this.#ring));
  }

  /** Adds one to the uses, in one statement; answers whether there is such a row. */
  async countUse(accountId: Id): Promise<boolean> {
    const id = checkId('accountId', accountId);
    const { affectedRows } = await this.#em.execute<{ affectedRows: number }>(COUNT_USE, [id], 'run');
    return affectedRows > 0;
  }

  /**
   * The tokens of a live account, each in a wrapper that nothing prints; null when there is no such row.
   *
   * @throws RuleError SORA_KEYS_MISSING, SORA_KEY_UNKNOWN, SORA_TOKEN_UNREADABLE.
   */
  async findTokens(accountId: Id): Promise<SoraTokens | null> {
    return readTokens(this.#em, checkId('accountId', accountId), this.#ring);
  }

  /** How many tokens each key has encrypted, under null those that are plain: a key that is not in here may be removed. */
  async countTokensByKey(): Promise<Map<string | null, number>> {
    return countTokensByKey(this.#em);
  }

  /**
   * Encrypts with the current key what is plain or under another one, up to `batch` accounts behind `after`. Repeat it with
   * `next` until that is null; any number of workers may do so at once, and be killed.
   *
   * @throws RuleError SORA_KEYS_MISSING; InvalidInputError VALIDATION.
   */
  async reencryptTokens(
    options: { readonly batch?: number; readonly after?: Id | null } = {},
  ): Promise<Reencrypted> {
    const { batch = 100, after } = checkGiven('options', options);
    const limits = {
      batch: checkInteger('batch', batch, 1, 10_000),
      after: checkOptionalId('after', after) ?? '0',
    };
    const ring = this.#ring;
    if (!ring) throw new RuleError(gatewayRules.SORA_KEYS_MISSING);
    return retryTransaction(this.#em, (tx) => reencryptBatch(tx, ring, limits));
  }

  async #read(ids: readonly Id[]): Promise<Map<Id, SoraAccountRecord>> {
    if (ids.length === 0) return new Map();
    const rows = await this.#em.execute<SoraAccountRow[]>(READ, [`{${ids.join(',')}}`]);
    return new Map(rows.map((row) => [row.accountId, soraAccountRecord(row)]));
  }
}
