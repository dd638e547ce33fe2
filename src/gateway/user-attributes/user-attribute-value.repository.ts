import { sql } from '@mikro-orm/postgresql';
import type { Id } from '../../kit/columns/index.ts';
import { checkId, checkIds } from '../../kit/input/index.ts';
import { type DataEntityManager, live, placeReads, storedInstant } from '../../kit/orm/index.ts';
import { removeValuesOfAttribute, removeValuesOfUser } from './remove-values.ts';
import { type NewAttributeValue, upsertValues } from './upsert-values.ts';
import { UserAttributeDefinition } from './user-attribute-definition.entity.ts';

/** A user's answer as the repository answers. */
export interface UserAttributeValueRecord {
  readonly id: Id;
  readonly userId: Id;
  readonly attributeId: Id;
  readonly value: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/**
 * What users answered. Every method joins the transaction of the entity manager that it was given.
 *
 * No value is compared with its definition (required, options, lengths): whoever takes an answer checks it.
 */
export class UserAttributeValueRepository {
  readonly #em: DataEntityManager;

  static {
    placeReads(this, (own) => own.#em);
  }

  constructor(em: DataEntityManager) {
    this.#em = em;
  }

  /** Values of live definitions, in the order in which those are displayed. */
  async getByUserId(userId: Id): Promise<UserAttributeValueRecord[]> {
    return this.#of([checkId('userId', userId)]);
  }

  /** The same of several users, by user id, in one statement; in none for no users. */
  async getByUserIds(userIds: readonly Id[]): Promise<UserAttributeValueRecord[]> {
    const ids = checkIds('userIds', userIds);
    return ids.length === 0 ? [] : this.#of(ids);
  }

  /**
   * Inserts or replaces values of a live user for live definitions, all or none, in one statement; of two for one attribute
   * the later counts, and an empty list does nothing.
   *
   * @throws NotFoundError USER_NOT_FOUND, ATTRIBUTE_DEFINITION_NOT_FOUND; InvalidInputError VALIDATION.
   */
  async upsertBatch(userId: Id, values: readonly NewAttributeValue[]): Promise<void> {
    await upsertValues(this.#em, userId, values);
  }

  /** Removes physically; answers how many there were. */
  async deleteByAttributeId(attributeId: Id): Promise<number> {
    return removeValuesOfAttribute(this.#em, checkId('attributeId', attributeId));
  }

  /** Removes physically; answers how many there were. */
  async deleteByUserId(userId: Id): Promise<number> {
    return removeValuesOfUser(this.#em, checkId('userId', userId));
  }

  async #of(userIds: readonly Id[]): Promise<UserAttributeValueRecord[]> {
    const rows = await this.#em.execute<UserAttributeValueRecord[]>(sql`
      select v.id, v.user_id as "userId", v.attribute_id as "attributeId", coalesce(v.value, '') as value,
        v.created_at as "createdAt", v.updated_at as "updatedAt"
      from user_attribute_values v
      join user_attribute_definitions d on d.id = v.attribute_id and ${live(UserAttributeDefinition, 'd')}
      where v.user_id = any (${`{${userIds.join(',')}}`}::bigint[])
      order by v.user_id, d.display_order, d.id`);
    // Without an entity the driver gives instants as text.
    return rows.map((row) => ({
      ...row,
      createdAt: storedInstant(row.createdAt),
      updatedAt: storedInstant(row.updatedAt),
    }));
  }
}
