import {
  amount,
  clamped,
  filter,
  filters,
  id,
  integer,
  list,
  object,
  optionalId,
  SECRET,
  text,
  word,
} from './sweep-arguments.ts';
import type { SweepCalls, SweepRows } from './sweep-calls.ts';

const page = clamped({ page: 1, pageSize: 50 });
const code = (valid: string) => text(valid, { max: 32, filled: true });
const notes = text('notes', { nullable: true });
const instant = list(null, [new Date(Number.NaN), '2026-01-01', 5, {}]);

const redeemOf = (rows: SweepRows) => ({
  type: word('balance'),
  value: amount('1', { decimals: 8 }),
  status: word('unused'),
  notes,
  usedBy: optionalId(rows.user),
  usedAt: instant,
  groupId: optionalId(rows.group),
  validityDays: integer(3),
});

export const redeemCodesOf = (rows: SweepRows): SweepCalls['redeemCodes'] => ({
  create: [object({ ...redeemOf(rows), code: code(`${rows.redeemText} a`) })],
  createBatch: [
    list(
      [{ code: `${rows.redeemText} b`, value: '1' }],
      [null, {}, 5, [null], [{ code: 5, value: '1' }], [{ code: 'a' }]],
    ),
  ],
  getById: [id(rows.redeemCode)],
  findById: [id(rows.redeemCode)],
  getByCode: [text(rows.redeemText)],
  findByCode: [text(rows.redeemText)],
  update: [object({ id: id(rows.redeemCode), ...redeemOf(rows), code: code(rows.redeemText) })],
  list: [page],
  listWithFilters: [
    page,
    filters({ type: filter('balance'), status: filter('unused'), search: filter(SECRET) }),
  ],
  listByUser: [id(rows.user), clamped(10)],
  use: [id(rows.redeemCode), id(rows.user)],
  delete: [id(rows.redeemCode)],
});

const PROMO = {
  bonusAmount: amount('1', { decimals: 8 }),
  maxUses: integer(3),
  status: word('active'),
  expiresAt: instant,
  notes,
};

export const promoCodesOf = (rows: SweepRows): SweepCalls['promoCodes'] => ({
  create: [object({ ...PROMO, code: code(`${rows.promoText} A`) })],
  getById: [id(rows.promoCode)],
  findById: [id(rows.promoCode)],
  getByCode: [text(rows.promoText)],
  findByCode: [text(rows.promoText)],
  getByCodeForUpdate: [code(rows.promoText)],
  findByCodeForUpdate: [code(rows.promoText)],
  update: [object({ id: id(rows.promoCode), ...PROMO })],
  list: [page],
  listWithFilters: [page, filters({ status: filter('active'), search: filter('s') })],
  createUsage: [
    object({
      promoCodeId: id(rows.promoCode),
      userId: id(rows.user),
      bonusAmount: amount('1', { decimals: 8 }),
    }),
  ],
  getUsageByPromoCodeAndUser: [id(rows.promoCode), id(rows.user)],
  findUsageByPromoCodeAndUser: [id(rows.promoCode), id(rows.user)],
  listUsagesByPromoCode: [id(rows.promoCode), page],
  incrementUsedCount: [id(rows.promoCode)],
  delete: [id(rows.promoCode)],
});
