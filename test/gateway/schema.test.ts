import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { MikroORM } from '@mikro-orm/core';
import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { defineDataConfig } from 'tombstone';
import { gateway, gatewayErrors } from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';

async function query<T extends object>(url: string, sql: string): Promise<T[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<T>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function differences(url: string): Promise<string> {
  const orm = await MikroORM.init(defineDataConfig({ clientUrl: url, modules: [gateway] }));
  try {
    return (await orm.schema.getUpdateSchemaSQL()).replace(/^set .*$/gm, '').trim();
  } finally {
    await orm.close();
  }
}

describe('the migrated schema', () => {
  it('is what the entities describe', async () => {
    const { url } = await cloneTestDatabase();
    expect(await differences(url)).toBe('');
    // The comparison would see a difference.
    await query(url, 'alter table users alter column notes drop not null');
    expect(await differences(url)).toContain('notes');
  });

  it('has every constraint that the table of errors names', async () => {
    const { url } = await cloneTestDatabase();
    const names = await query<{ name: string }>(
      url,
      `select conname as name from pg_constraint union select indexname from pg_indexes`,
    );
    const known = new Set(names.map((row) => row.name));
    expect(Object.keys(gatewayErrors.constraints).filter((name) => !known.has(name))).toEqual([]);
    expect(Object.keys(gatewayErrors.constraints).length).toBeGreaterThan(5);
  });

  it('gives every unique and every foreign key a meaning', async () => {
    const { url } = await cloneTestDatabase();
    const found = await query<{ name: string }>(
      url,
      `select c.relname as name from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
       where i.indisunique and not i.indisprimary and t.relnamespace = 'public'::regnamespace and t.relname not like 'schema%migration%'
       union select conname from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace`,
    );
    const meanings = Object.keys(gatewayErrors.constraints);
    // These are only ever met by statements that take the row that is there.
    const upserts = [
      'settings_key_key',
      'user_attribute_values_user_id_attribute_id_key',
      'orphan_allowed_groups_audit_user_id_group_id_key',
      'idx_usage_logs_request_id_api_key_unique',
      'billing_usage_entries_usage_log_id_unique',
      'sora_accounts_account_id_key',
      'sora_usage_stats_account_id_key',
    ];
    const names = found.map((row) => row.name);
    expect(names.filter((name) => !meanings.includes(name)).toSorted()).toEqual(upserts.toSorted());
    expect(names).toContain('promo_code_usages_user_id_fkey');
  });

  it('gives constraints the meaning that the documentation prints', () => {
    const page = readFileSync(resolve(import.meta.dirname, '../../docs/gateway.md'), 'utf8');
    const printed = [...page.matchAll(/^\| `(\w+)` +\| `([A-Z_]+)` +\| (\d+) +\|$/gm)].map((match) =>
      match.slice(1),
    );
    const known = Object.entries(gatewayErrors.constraints).map(([name, error]) => [
      name,
      error.code,
      String(error.status),
    ]);
    expect(printed.toSorted()).toEqual(known.toSorted());
  });

  it('has the indexes of the specification', async () => {
    const { url } = await cloneTestDatabase();
    const names = (
      await query<{ name: string }>(
        url,
        `select indexname as name from pg_indexes where schemaname = 'public'`,
      )
    ).map((row) => row.name);
    expect(names).toEqual(
      expect.arrayContaining([
        'users_email_unique_active',
        'idx_users_status',
        'idx_users_deleted_at',
        'groups_name_unique_active',
        'idx_groups_status',
        'idx_groups_is_exclusive',
        'idx_groups_platform',
        'idx_groups_subscription_type',
        'idx_groups_deleted_at',
        'idx_groups_claude_code_only',
        'idx_groups_fallback_group_id',
        'idx_user_allowed_groups_group_id',
        'api_keys_key_key',
        'idx_api_keys_user_id',
        'idx_api_keys_group_id',
        'idx_api_keys_status',
        'idx_api_keys_deleted_at',
        'idx_accounts_temp_unschedulable_until',
        'idx_account_groups_priority',
        'usersubscription_deleted_at',
        'user_subscriptions_user_group_unique_active',
        'idx_user_attribute_definitions_key_unique',
        'idx_scheduler_outbox_created_at',
        'sora_accounts_account_id_key',
        'idx_sora_accounts_plan_type',
        'idx_sora_accounts_sora_supported',
        'idx_sora_accounts_image_enabled',
        'idx_sora_accounts_video_enabled',
        'idx_sora_usage_stats_today_date',
        'sora_tasks_task_id_key',
        'idx_sora_tasks_account_id',
        'idx_sora_tasks_status',
        'idx_sora_cache_files_account_id',
        'idx_sora_cache_files_user_id',
        'idx_sora_cache_files_media_type',
      ]),
    );
  });
});
