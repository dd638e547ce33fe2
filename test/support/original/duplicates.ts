import type { Client } from 'pg';

/** Puts one text twice into every column that a file of ours wants unique and this database lets hold it. */
export async function plantDuplicates(client: Client): Promise<void> {
  // GORM's unique of addresses; installations are known that never had it.
  await client.query('drop index if exists public.idx_users_email');
  await client.query('drop index if exists public.users_email_unique_active');
  await client.query('alter table public.users drop constraint if exists users_email_key');
  for (const [table, column, others] of TABLES) {
    await client.query(`insert into public.${table} (${column}, ${others})
      select ${column}, ${others} from public.${table} where id = 2`);
  }
}

const TABLES = [
  ['users', 'email', 'password_hash, created_at, updated_at'],
  ['api_keys', 'key', 'user_id, name, created_at, updated_at'],
  ['redeem_codes', 'code', 'value, created_at'],
  ['settings', 'key', 'value, updated_at'],
] as const;
