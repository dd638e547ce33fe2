import { p } from '@mikro-orm/core';

/** An exact amount: a decimal string such as `12.50000000`, never a `number`. */
export type Amount = string;

/** A `numeric(precision, scale)` column as an {@link Amount}. Arithmetic on it belongs in SQL. */
export const money = (precision: number, scale: number) =>
  p.decimal('string').precision(precision).scale(scale).columnType(`numeric(${precision},${scale})`);
