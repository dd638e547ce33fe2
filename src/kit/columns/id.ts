import { BigIntType, p } from '@mikro-orm/core';

/** A `bigint` key as TypeScript sees it: a decimal string, exact above 2^53 and safe in JSON. */
export type Id = string;

/**
 * MikroORM's type makes text of whatever a condition on a key holds, also of a sub-query (`{ id: { $in: builder } }`) and of
 * the number in `$size`, which then match nothing or are refused. Only the values of a key are converted here.
 */
class IdType extends BigIntType<'string'> {
  constructor() {
    super('string');
  }

  /** Tells the entity manager that a text is a parameter as it is, so that it may keep the statement of a call. */
  get keepsTexts(): true {
    return true;
  }

  override convertToDatabaseValue(value: unknown, _platform?: unknown, context?: { key?: string }): never {
    const isKey = typeof value !== 'object' && context?.key !== '$size';
    return (isKey ? super.convertToDatabaseValue(value as string) : value) as never;
  }
}

/** The primary key of a table with `bigserial` ids, as an {@link Id}. */
export const bigintId = () => p.type(IdType).$type<Id>().primary().autoincrement();
