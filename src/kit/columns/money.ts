import { DecimalType, p } from '@mikro-orm/core';

/** An exact amount: a decimal string such as `12.50000000`, never a `number`. */
export type Amount = string;

/** MikroORM's own type turns the NULL of a returned row into the string "null", which the next flush would write. */
class AmountType extends DecimalType<'string'> {
  constructor() {
    super('string');
  }

  override convertToJSValue(value: string): string {
    return value === null || value === undefined ? value : super.convertToJSValue(value);
  }
}

/** A `numeric(precision, scale)` column as an {@link Amount}. Arithmetic on it belongs in SQL. */
export const money = (precision: number, scale: number) =>
  p
    .type(AmountType)
    .$type<Amount>()
    .precision(precision)
    .scale(scale)
    .columnType(`numeric(${precision},${scale})`);
