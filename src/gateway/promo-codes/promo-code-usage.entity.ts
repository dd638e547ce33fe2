import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { User } from '../users/user.entity.ts';
import { PromoCode } from './promo-code.entity.ts';

const PromoCodeUsageSchema = defineEntity({
  name: 'PromoCodeUsage',
  tableName: 'promo_code_usages',
  properties: {
    id: bigintId(),
    promoCode: () => p.manyToOne(PromoCode).deleteRule('cascade').updateRule('no action'),
    user: () => p.manyToOne(User).deleteRule('cascade').updateRule('no action'),
    bonusAmount: money(20, 8),
    usedAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  uniques: [
    {
      name: 'promo_code_usages_promo_code_id_user_id_key',
      properties: ['promoCode', 'user'],
    },
  ],
  indexes: [
    { name: 'idx_promo_code_usages_promo_code_id', properties: ['promoCode'] },
    { name: 'idx_promo_code_usages_user_id', properties: ['user'] },
  ],
});

/** That a user had the bonus of a promo code, and how much it was. */
export class PromoCodeUsage extends PromoCodeUsageSchema.class {}

PromoCodeUsageSchema.setClass(PromoCodeUsage);
softDelete.deadTargets(PromoCodeUsage, { user: 'null' });
