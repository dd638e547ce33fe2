import type { EntityName, FilterQuery } from '@mikro-orm/core';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';

const { createQueryBuilder, renderPartialIndexWhere } = PostgreSqlDriver.prototype;

/**
 * The condition of a partial index as SQL. The core compiles a query and cuts its condition out, so that this query must be one
 * without the guard, which would make every index one of live rows, and cannot be put into an index where it hides rows.
 */
export function partialIndexWhere<T extends object>(
  driver: PostgreSqlDriver,
  entityName: EntityName<T>,
  where: string | FilterQuery<T>,
): string {
  const unguarded = Object.create(driver, {
    createQueryBuilder: { value: createQueryBuilder.bind(driver) },
  }) as PostgreSqlDriver;
  return renderPartialIndexWhere.call(unguarded, entityName as never, where as never);
}
