import { type GatewayRepositories, gatewayRepositories, type SoraKeySet } from 'tombstone/gateway';
import { mustCreateAccount } from './gateway-accounts.ts';
import type { Gateway } from './gateway.ts';

export const SORA_KEYS: SoraKeySet = { current: 'k1', keys: { k1: Buffer.alloc(32, 'one') } };
/** The same with a second key, which is the current one. */
export const ROTATED_KEYS: SoraKeySet = {
  current: 'k2',
  keys: { ...SORA_KEYS.keys, k2: Buffer.alloc(32, 'two').toString('base64') },
};

export const soraOf = (gateway: Gateway, soraKeys: SoraKeySet = SORA_KEYS): GatewayRepositories =>
  gatewayRepositories(gateway.em(), { soraKeys });

/** The id of an account of the platform. */
export const mustCreateSoraAccount = async (gateway: Gateway): Promise<string> =>
  (await mustCreateAccount(gateway.em(), { platform: 'sora' })).id;

/** The code that a call was refused with, or 'done'. */
export const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'done',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );

/** Makes the four tables what the original's are: counters that may be NULL, and foreign keys without an action. */
export const AS_THE_ORIGINAL = [
  ...[
    'use_count',
    'sora_supported',
    'sora_redeemed_count',
    'sora_remaining_count',
    'sora_total_count',
    'image_enabled',
    'video_enabled',
    'image_concurrency',
    'video_concurrency',
    'is_expired',
  ].map((column) => `alter table sora_accounts alter column ${column} drop not null`),
  ...[
    'image_count',
    'video_count',
    'error_count',
    'today_image_count',
    'today_video_count',
    'today_error_count',
    'consecutive_error_count',
  ].map((column) => `alter table sora_usage_stats alter column ${column} drop not null`),
  ...['progress', 'retry_count'].map(
    (column) => `alter table sora_tasks alter column ${column} drop not null`,
  ),
  'alter table sora_cache_files alter column size_bytes drop not null',
  ...['sora_accounts', 'sora_usage_stats', 'sora_tasks', 'sora_cache_files'].map(
    (table) => `alter table ${table} drop constraint ${table}_account_id_fkey,
      add constraint ${table}_account_id_fkey foreign key (account_id) references accounts (id)`,
  ),
];
