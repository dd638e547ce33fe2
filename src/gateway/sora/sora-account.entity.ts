import { defineEntity, p } from '@mikro-orm/core';
import { bigintId, timestamps } from '../../kit/columns/index.ts';
import { softDelete } from '../../kit/soft-delete/index.ts';
import { Account } from '../accounts/account.entity.ts';
import { storedToken } from './stored-token.ts';

const text = () => p.text().nullable();
const instant = () => p.datetime().columnType('timestamptz').nullable();
const count = () => p.integer().default(0);
const indexed = (column: string, property: string) => ({
  name: `idx_sora_accounts_${column}`,
  properties: [property] as never[],
});

const SoraAccountSchema = defineEntity({
  name: 'SoraAccount',
  tableName: 'sora_accounts',
  properties: {
    id: bigintId(),
    account: () => p.manyToOne(Account).deleteRule('cascade').updateRule('no action'),
    accessToken: storedToken(),
    sessionToken: storedToken(),
    refreshToken: storedToken(),
    clientId: text(),
    email: text(),
    username: text(),
    remark: text(),
    useCount: count(),
    planType: text(),
    planTitle: text(),
    subscriptionEnd: instant(),
    soraSupported: p.boolean().default(false),
    soraInviteCode: text(),
    soraRedeemedCount: count(),
    soraRemainingCount: count(),
    soraTotalCount: count(),
    soraCooldownUntil: instant(),
    cooledUntil: instant(),
    imageEnabled: p.boolean().default(true),
    videoEnabled: p.boolean().default(true),
    imageConcurrency: p.integer().default(-1),
    videoConcurrency: p.integer().default(-1),
    isExpired: p.boolean().default(false),
    ...timestamps(),
  },
  uniques: [{ name: 'sora_accounts_account_id_key', properties: ['account'] }],
  indexes: [
    indexed('plan_type', 'planType'),
    indexed('sora_supported', 'soraSupported'),
    indexed('image_enabled', 'imageEnabled'),
    indexed('video_enabled', 'videoEnabled'),
  ],
});

/** What an account has at the platform. Its tokens are encrypted: only the repository reads and writes them. */
export class SoraAccount extends SoraAccountSchema.class {}

SoraAccountSchema.setClass(SoraAccount);
softDelete.deadTargets(SoraAccount, { account: 'null' });
