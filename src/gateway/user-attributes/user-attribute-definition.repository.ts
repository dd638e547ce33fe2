import type { Id } from '../../kit/columns/index.ts';
import { isDataError, NotFoundError } from '../../kit/errors/index.ts';
import { checkId, checkText } from '../../kit/input/index.ts';
import { type DataEntityManager, placeReads, unitOfWork } from '../../kit/orm/index.ts';
import { retryTransaction } from '../../kit/transactions/index.ts';
import { gatewayErrors } from '../errors.ts';
import { ASKED_ROWS, wholeList } from '../whole-list.ts';
import { checkedChange, checkedNewDefinition } from './attribute-definition-input.ts';
import {
  definitionRecord,
  type NewUserAttributeDefinition,
  type UserAttributeDefinitionChange,
  type UserAttributeDefinitionRecord,
} from './attribute-definition-record.ts';
import { writeDisplayOrders } from './display-orders.ts';
import { removeValuesOfAttribute } from './remove-values.ts';
import { UserAttributeDefinition } from './user-attribute-definition.entity.ts';

/** What users are asked for. Every method joins the transaction of the entity manager that it was given. */
export class UserAttributeDefinitionRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** @throws ConflictError ATTRIBUTE_KEY_EXISTS, of a live definition; InvalidInputError VALIDATION. */
  async create(definition: NewUserAttributeDefinition): Promise<UserAttributeDefinitionRecord> {
    const columns = checkedNewDefinition(definition);
    return unitOfWork(this.#em, async (em) => {
      const created = em.create(UserAttributeDefinition, columns as never);
      await em.flush();
      return definitionRecord(created);
    });
  }

  /** @throws NotFoundError ATTRIBUTE_DEFINITION_NOT_FOUND. */
  async getById(id: Id): Promise<UserAttributeDefinitionRecord> {
    return orFail(await this.findById(id));
  }

  /** Null when there is no live definition with this id. */
  async findById(id: Id): Promise<UserAttributeDefinitionRecord | null> {
    return this.#findOne({ id: checkId('id', id) });
  }

  /** @throws NotFoundError ATTRIBUTE_DEFINITION_NOT_FOUND. */
  async getByKey(key: string): Promise<UserAttributeDefinitionRecord> {
    return orFail(await this.findByKey(key));
  }

  /** Null when there is no live definition with this key. */
  async findByKey(key: string): Promise<UserAttributeDefinitionRecord | null> {
    return this.#findOne({ key: checkText('key', key) });
  }

  /**
   * Writes the columns that differ; null clears. Stored answers stay, also when they no longer fit the new type.
   *
   * @throws NotFoundError ATTRIBUTE_DEFINITION_NOT_FOUND; InvalidInputError VALIDATION, also for a key.
   */
  async update(change: UserAttributeDefinitionChange): Promise<UserAttributeDefinitionRecord> {
    const columns = checkedChange(change);
    const id = checkId('id', change.id);
    return unitOfWork(this.#em, async (em) => {
      const definition = await em.findOneOrFail(UserAttributeDefinition, id);
      // A list or an object that was read is replaced as a whole, not merged.
      em.assign(definition, columns as never, { mergeObjectProperties: false });
      await em.flush().catch(asNotFound);
      return definitionRecord(definition);
    });
  }

  /**
   * Soft-deletes the definition and removes its values physically, in one transaction; a second call, or an unknown id,
   * succeeds. Values that are being written at the same time either come first and are removed, or are refused.
   */
  async delete(id: Id): Promise<void> {
    const key = checkId('id', id);
    // Whoever removes the values of a user first and then writes new ones locks both in the other order.
    await retryTransaction(this.#em, async (em) => {
      // The mark waits for those who hold the definition with `upsertBatch`; only a later statement sees what they wrote.
      await em.getRepository(UserAttributeDefinition).softDelete(key);
      await removeValuesOfAttribute(em, key);
    });
  }

  /** By display order, then by id. @throws RuleError LIST_TOO_LONG above 10,000. */
  async list(enabledOnly = false): Promise<UserAttributeDefinitionRecord[]> {
    const where = enabledOnly ? { enabled: true } : {};
    const options = { orderBy: { displayOrder: 'asc', id: 'asc' }, limit: ASKED_ROWS } as const;
    return wholeList(await this.#reader().find(UserAttributeDefinition, where, options)).map(
      definitionRecord,
    );
  }

  /**
   * Writes several orders in one statement, or in none for an empty Map.
   *
   * @throws NotFoundError ATTRIBUTE_DEFINITION_NOT_FOUND when one of the definitions is not live: then none is changed;
   *   InvalidInputError VALIDATION.
   */
  async updateDisplayOrders(orders: ReadonlyMap<Id, number>): Promise<void> {
    await writeDisplayOrders(this.#em, orders);
  }

  /** Whether a live definition has the key. The answer may be old when you use it: `create` is what decides. */
  async existsByKey(key: string): Promise<boolean> {
    return (await this.#em.count(UserAttributeDefinition, { key: checkText('key', key) })) > 0;
  }

  async #findOne(where: object): Promise<UserAttributeDefinitionRecord | null> {
    const definition = await this.#reader().findOne(UserAttributeDefinition, where);
    return definition ? definitionRecord(definition) : null;
  }

  /** Holds nothing that was loaded before, so a raw write is never answered with an old value. */
  #reader(): DataEntityManager {
    return this.#em.fork({ keepTransactionContext: true });
  }
}

function orFail(definition: UserAttributeDefinitionRecord | null): UserAttributeDefinitionRecord {
  if (definition) return definition;
  throw new NotFoundError('UserAttributeDefinition', gatewayErrors);
}

/** The row was deleted by someone else after it had been read. */
function asNotFound(error: unknown): never {
  const isDeleted = isDataError(error, 'DATA.SOFT_DELETED_ROW');
  throw isDeleted ? new NotFoundError('UserAttributeDefinition', gatewayErrors) : error;
}
