import { p } from '@mikro-orm/core';

/** A `bigint` key as TypeScript sees it: a decimal string, exact above 2^53 and safe in JSON. */
export type Id = string;

/** The primary key of a table with `bigserial` ids, as an {@link Id}. */
export const bigintId = () => p.bigint('string').primary().autoincrement();
