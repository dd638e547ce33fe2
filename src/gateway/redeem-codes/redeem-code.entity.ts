import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, money } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Group } from '../groups/group.entity.ts';
import { User } from '../users/user.entity.ts';
import { REDEEM_CODE_LENGTH } from './generate-redeem-code.ts';

const RedeemCodeSchema = defineEntity({
  name: 'RedeemCode',
  tableName: 'redeem_codes',
  properties: {
    id: bigintId(),
    code: p.string().length(REDEEM_CODE_LENGTH),
    type: p.string().length(20).default('balance'),
    value: money(20, 8),
    status: p.string().length(20).default('unused'),
    usedBy: () =>
      p.manyToOne(User).fieldName('used_by').nullable().deleteRule('set null').updateRule('no action'),
    usedAt: p.datetime().columnType('timestamptz').nullable(),
    notes: p.text().nullable(),
    group: () => p.manyToOne(Group).nullable().deleteRule('set null').updateRule('no action'),
    validityDays: p.integer().default(30),
    createdAt: p.datetime().columnType('timestamptz').defaultRaw('now()'),
  },
  uniques: [{ name: 'redeem_codes_code_key', properties: ['code'] }],
  indexes: [
    { name: 'idx_redeem_codes_status', properties: ['status'] },
    { name: 'idx_redeem_codes_used_by', properties: ['usedBy'] },
    { name: 'idx_redeem_codes_group_id', properties: ['group'] },
  ],
});

/** A code that one user turns into balance, parallel requests or a subscription. */
export class RedeemCode extends RedeemCodeSchema.class {}

RedeemCodeSchema.setClass(RedeemCode);
softDelete.deadTargets(RedeemCode, { usedBy: 'null', group: 'null' });
