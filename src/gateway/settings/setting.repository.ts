import { NotFoundError } from '../../kit/errors/index.ts';
import { checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads } from '../../kit/orm/index.ts';
import { gatewayErrors } from '../errors.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import { checkedKeys, checkedPair, checkedPairs, type SettingPair } from './setting-input.ts';
import { settingRecord, type SettingRecord } from './setting-record.ts';
import { Setting } from './setting.entity.ts';

// In one order by every caller: two that write the same keys wait for each other, and never in a circle.
const UPSERT = `insert into settings (key, value, updated_at)
  select key, value, now() from json_to_recordset(?::json) as given (key text, value text) order by key collate "C"
  on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`;

/** Settings by name. Every method joins the transaction of the entity manager that it was given. */
export class SettingRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** @throws NotFoundError SETTING_NOT_FOUND. */
  async get(key: string): Promise<SettingRecord> {
    const setting = await this.find(key);
    if (setting) return setting;
    throw new NotFoundError('Setting', gatewayErrors);
  }

  /** Null when there is no such setting. */
  async find(key: string): Promise<SettingRecord | null> {
    const setting = await this.#reader().findOne(Setting, { key: checkText('key', key) });
    return setting ? settingRecord(setting) : null;
  }

  /** @throws NotFoundError SETTING_NOT_FOUND. */
  async getValue(key: string): Promise<string> {
    return (await this.get(key)).value;
  }

  /** Null when there is no such setting; a setting that is empty gives the empty string. */
  async findValue(key: string): Promise<string | null> {
    return (await this.find(key))?.value ?? null;
  }

  /** Inserts or replaces, in one statement. @throws InvalidInputError VALIDATION. */
  async set(key: string, value: string): Promise<void> {
    await this.#upsert([checkedPair(key, value)]);
  }

  /** Those of the settings that are there, by key ascending; no statement for no keys. */
  async getMultiple(keys: readonly string[]): Promise<Map<string, string>> {
    const asked = checkedKeys(keys);
    if (asked.length === 0) return new Map();
    return this.#values({ key: { $in: asked } });
  }

  /** All or none, in one statement, or in none for an empty Map. @throws InvalidInputError VALIDATION. */
  async setMultiple(settings: ReadonlyMap<string, string>): Promise<void> {
    await this.#upsert(checkedPairs(settings));
  }

  /** By key ascending. @throws RuleError LIST_TOO_LONG above 10,000. */
  async getAll(): Promise<Map<string, string>> {
    return this.#values({});
  }

  /** Removes physically; a setting that is not there is a success. */
  async delete(key: string): Promise<void> {
    await this.#em.nativeDelete(Setting, { key: checkText('key', key) });
  }

  async #values(where: object): Promise<Map<string, string>> {
    const options = { orderBy: { key: 'asc' }, limit: ASKED_ROWS } as const;
    const found = wholeList(await this.#reader().find(Setting, where, options));
    return new Map(found.map(({ key, value }) => [key, value]));
  }

  async #upsert(pairs: readonly SettingPair[]): Promise<void> {
    if (pairs.length > 0) await this.#em.execute(UPSERT, [JSON.stringify(pairs)], 'run');
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}
