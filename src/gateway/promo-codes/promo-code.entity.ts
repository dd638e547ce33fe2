import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money, timestamps } from '../../kit/columns/index.ts';

const PromoCodeSchema = defineEntity({
  name: 'PromoCode',
  tableName: 'promo_codes',
  properties: {
    id: bigintId(),
    code: p.string().length(32),
    bonusAmount: money(20, 8).default('0'),
    maxUses: p.integer().default(0),
    usedCount: p.integer().default(0),
    status: p.string().length(20).default('active'),
    expiresAt: p.datetime().columnType('timestamptz').nullable(),
    notes: p.text().nullable(),
    ...timestamps(),
  },
  uniques: [
    { name: 'promo_codes_code_key', properties: ['code'] },
    {
      name: 'promo_codes_code_unique_upper',
      expression: 'create unique index promo_codes_code_unique_upper on promo_codes (upper(code))',
    },
  ],
  indexes: [
    { name: 'idx_promo_codes_status', properties: ['status'] },
    { name: 'idx_promo_codes_expires_at', properties: ['expiresAt'] },
  ],
});

/** A code that gives a bonus once to each of a number of users; 0 uses at most is no limit. */
export class PromoCode extends PromoCodeSchema.class {}

PromoCodeSchema.setClass(PromoCode);
