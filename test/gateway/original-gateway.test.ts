import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gatewayAdoption } from '../../src/gateway/adoption/gateway-adoption.ts';
import { differenceOf, readSchema } from 'tombstone/migrations';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import {
  COMPLETE,
  createChanged,
  createNewer,
  createOriginal,
  LEGACY,
  LEGACY_LOST,
  type OriginalShape,
  PHASE_ONE,
  PHASE_ZERO,
  WITH_SORA,
} from '../support/original-gateway.ts';
import { plantDuplicates } from '../support/original/duplicates.ts';
import { originalProgram } from '../support/original/program.ts';

const SIZE = { users: 400 };

async function built<T>(
  make: (client: Client) => Promise<void>,
  look: (client: Client) => Promise<T>,
): Promise<T> {
  const { url } = await emptyTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await make(client);
    return await look(client);
  } finally {
    await client.end();
  }
}

const original = async <T>(shape: OriginalShape, look: (client: Client) => Promise<T>): Promise<T> =>
  built((client) => createOriginal(client, shape, SIZE), look);

/** The first column of all rows. */
async function list(client: Client, sql: string): Promise<unknown[]> {
  const { rows } = await client.query<unknown[]>({ text: sql, rowMode: 'array' });
  return rows.map(([first]) => first);
}

const UNIQUES = `select replace(pg_get_indexdef(indexrelid), ' USING btree', '') from pg_index x join pg_class c on c.oid = x.indrelid
  where indisunique and not indisprimary and c.relname in ('users', 'groups', 'api_keys', 'redeem_codes', 'settings', 'user_subscriptions', 'usage_logs') order by 1`;
const PARENTS = `select conrelid::regclass || ' ' || conname || ' ' || confdeltype::text from pg_constraint where contype = 'f' order by 1`;
const LOG_INDEXES = `select indexrelid::regclass::text from pg_index where indrelid = 'usage_logs'::regclass order by 1`;
const typeOf = (table: string, column: string): string =>
  `select format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end from pg_attribute
   where attrelid = '${table}'::regclass and attname = '${column}' and not attisdropped`;

describe('a complete original', () => {
  it('has the 43 files, a row of Atlas, and the schema of the specification', async () => {
    await original(COMPLETE, async (client) => {
      expect(await list(client, 'select count(*)::int from schema_migrations')).toEqual([43]);
      expect(await list(client, 'select version from atlas_schema_revisions')).toEqual([
        '041_add_model_routing_enabled',
      ]);
      expect(await list(client, typeOf('users', 'balance'))).toEqual(['numeric(20,8) not null']);
      expect(await list(client, typeOf('users', 'wechat'))).toEqual(['character varying(100)']);
      expect(await list(client, typeOf('users', 'allowed_groups'))).toEqual([]);
      expect(await list(client, typeOf('scheduler_outbox', 'txid'))).toEqual([]);
      expect(await list(client, LOG_INDEXES)).toHaveLength(16);
      expect(await list(client, `select pg_get_indexdef('idx_usage_logs_group_id'::regclass)`)).toEqual(
        gatewayAdoption.accepted.flatMap(({ definitions }) => definitions),
      );
      expect(await list(client, UNIQUES)).toEqual([
        'CREATE UNIQUE INDEX api_keys_key_key ON public.api_keys (key)',
        'CREATE UNIQUE INDEX groups_name_unique_active ON public.groups (name) WHERE (deleted_at IS NULL)',
        'CREATE UNIQUE INDEX idx_usage_logs_request_id_api_key_unique ON public.usage_logs (request_id, api_key_id)',
        'CREATE UNIQUE INDEX redeem_codes_code_key ON public.redeem_codes (code)',
        'CREATE UNIQUE INDEX settings_key_key ON public.settings (key)',
        'CREATE UNIQUE INDEX user_subscriptions_user_group_unique_active ON public.user_subscriptions (user_id, group_id) WHERE (deleted_at IS NULL)',
        'CREATE UNIQUE INDEX users_email_unique_active ON public.users (email) WHERE (deleted_at IS NULL)',
      ]);
    });
  });

  it('differs from what our files make by what they change on purpose, and by nothing else', async () => {
    const { url: ours } = await cloneTestDatabase();
    const expected = await readSchema(ours);
    const { url } = await emptyTestDatabase();
    const client = new Client({ connectionString: url });
    await client.connect();
    await createOriginal(client);
    await client.end();
    // Sora came with a later file of the original, and has tests of its own.
    const differences = differenceOf(expected, await readSchema(url)).filter(
      ({ name, expected: own }) => (own !== undefined || !/ops_|atlas/.test(name)) && !name.includes('sora_'),
    );
    expect(differences.map(({ kind, name }) => `${kind} ${name}`).toSorted()).toEqual([
      'column public.scheduler_outbox.txid',
      'column public.users.balance',
      'column public.users.wechat',
      'comment table column public.accounts.credentials',
      'index public.idx_accounts_crs_account_id',
      'index public.idx_accounts_schedulable_platform_priority',
      'index public.idx_scheduler_outbox_txid_id',
      'index public.idx_usage_logs_account_id',
      'index public.idx_usage_logs_api_key_id',
      'index public.idx_usage_logs_billing_type',
      'index public.idx_usage_logs_group_id',
      'index public.idx_usage_logs_ip_address',
      'index public.idx_usage_logs_model',
      'index public.idx_usage_logs_subscription_id',
      'index public.idx_usage_logs_user_id',
      'index public.idx_user_subscriptions_overdue',
      'index public.promo_codes_code_unique_upper',
      'table public.scheduler_outbox_failures',
      'table public.scheduler_outbox_watermarks',
    ]);
  });

  it('holds rows as they are found: addresses used again, empty request ids, the year 9999', async () => {
    await original(COMPLETE, async (client) => {
      const again = `select count(*)::int from users live join users dead using (email) where live.deleted_at is null and dead.deleted_at is not null`;
      expect(await list(client, again)).toEqual([20]);
      expect(await list(client, `select count(*)::int from usage_logs where request_id = ''`)).toEqual([8]);
      expect(
        await list(client, `select count(*)::int from user_subscriptions where expires_at > '9999-01-01'`),
      ).not.toEqual([0]);
      const orphaned = `select count(*)::int from api_keys k join users u on u.id = k.user_id where k.deleted_at is null and u.deleted_at is not null`;
      expect(await list(client, orphaned)).not.toEqual([0]);
    });
  });

  it('may have tables of Sora, with counters that are NULL', async () => {
    await original(WITH_SORA, async (client) => {
      expect(await list(client, 'select count(*)::int from schema_migrations')).toEqual([44]);
      expect(await list(client, 'select account_id from sora_accounts where use_count is null')).toEqual([
        '2',
      ]);
      expect(
        await list(client, PARENTS.replace('order by', `and conrelid = 'sora_tasks'::regclass order by`)),
      ).toEqual(['sora_tasks sora_tasks_account_id_fkey a']);
    });
    await original({ ...WITH_SORA, sora: 'later' }, async (client) => {
      expect(await list(client, typeOf('sora_accounts', 'id'))).toEqual([]);
    });
  });

  it('may have logs that somebody has divided', async () => {
    await original({ ...COMPLETE, isDivided: true }, async (client) => {
      expect(await list(client, `select pg_get_partkeydef('usage_logs'::regclass)`)).toEqual([
        'RANGE (created_at)',
      ]);
      expect((await list(client, UNIQUES)).join()).not.toContain('request_id');
      expect((await list(client, PARENTS)).join()).not.toContain('usage_log_id');
      expect(await list(client, 'select count(distinct tableoid)::int from usage_logs')).toEqual([3]);
    });
  });
});

describe('a partial original', () => {
  it('of phase 0 has only arrays, with NULL, orphans and groups that are deleted', async () => {
    await original(PHASE_ZERO, async (client) => {
      expect(await list(client, `select max(filename) from schema_migrations`)).toEqual([
        '006_fix_invalid_subscription_expires_at.sql',
      ]);
      expect(await list(client, `select to_regclass('user_allowed_groups')::text`)).toEqual([null]);
      const kinds = `select bool_or(allowed_groups is null) and bool_or(null = any (allowed_groups) is null and array_position(allowed_groups, null) > 0)
        and bool_or(cardinality(allowed_groups) = 0) and bool_or(10 = any (allowed_groups)) and bool_or(allowed_groups[1] > 1000000) from users`;
      expect(await list(client, kinds)).toEqual([true]);
      expect(await list(client, 'select deleted_at is not null from groups where id = 10')).toEqual([true]);
    });
  });

  it('of phase 1 has rows that only the array has, and none that only the table has', async () => {
    await original(PHASE_ONE, async (client) => {
      const arrays = `select u.id, g.id from users u cross join lateral unnest(allowed_groups) a (id) join groups g on g.id = a.id`;
      const table = 'select user_id, group_id from user_allowed_groups';
      expect(await list(client, `${arrays} except ${table}`)).not.toEqual([]);
      expect(await list(client, `${table} except ${arrays}`)).toEqual([]);
      expect(await list(client, 'select count(*)::int from orphan_allowed_groups_audit')).not.toEqual([0]);
    });
  });
});

describe('a legacy database', () => {
  it('has the uniques of GORM, no ledger, columns that may be NULL and keys without actions', async () => {
    await original(LEGACY, async (client) => {
      expect(await list(client, `select to_regclass('schema_migrations')::text`)).toEqual([null]);
      expect(await list(client, UNIQUES)).toEqual([
        'CREATE UNIQUE INDEX idx_api_keys_key ON public.api_keys (key)',
        'CREATE UNIQUE INDEX idx_groups_name ON public.groups (name)',
        'CREATE UNIQUE INDEX idx_redeem_codes_code ON public.redeem_codes (code)',
        'CREATE UNIQUE INDEX idx_settings_key ON public.settings (key)',
        'CREATE UNIQUE INDEX idx_user_subscriptions_user_group ON public.user_subscriptions (user_id, group_id)',
        'CREATE UNIQUE INDEX idx_users_email ON public.users (email)',
      ]);
      expect(await list(client, typeOf('users', 'username'))).toEqual(['text']);
      expect(await list(client, typeOf('settings', 'updated_at'))).toEqual(['timestamp with time zone']);
      expect(await list(client, typeOf('accounts', 'rate_multiplier'))).toEqual([]);
      expect(
        await list(client, 'select count(*)::int from users where username is null or notes is null'),
      ).not.toEqual([0]);
      const parents = await list(client, PARENTS);
      expect(parents.filter((line) => !String(line).endsWith(' a'))).toEqual([]);
      expect(parents.join()).not.toContain('assigned_by');
      expect(parents).toContain('api_keys fk_api_keys_user_id a');
      expect(await list(client, `select count(*)::int from accounts where type = 'official'`)).not.toEqual([
        0,
      ]);
    });
  });

  it('has lost uniques where a file dropped them by name, and then duplicates', async () => {
    await original(LEGACY_LOST, async (client) => {
      expect((await list(client, UNIQUES)).join()).not.toMatch(/api_keys|redeem_codes|settings/);
      await plantDuplicates(client);
      for (const column of ['api_keys.key', 'redeem_codes.code', 'settings.key', 'users.email']) {
        const [table, name] = column.split('.');
        const twice = `select count(*)::int from (select from ${table} group by ${name} having count(*) > 1) twice`;
        expect([column, ...(await list(client, twice))]).toEqual([column, 1]);
      }
    });
  });

  it('may name the columns of cache tokens as they were, and has requests twice', async () => {
    await original({ ...LEGACY, hasOldCacheColumns: true }, async (client) => {
      expect(await list(client, typeOf('usage_logs', 'cache_creation5m_tokens'))).toEqual([
        'integer not null',
      ]);
      expect(await list(client, typeOf('usage_logs', 'cache_creation_5m_tokens'))).toEqual([]);
      const most = `select max(n)::int from (select count(*) n from usage_logs where request_id <> '' group by api_key_id, request_id) counted`;
      expect(await list(client, most)).toEqual([3]);
    });
  });
});

describe('the original program', () => {
  const log = { userId: '1', keyId: '1', accountId: '1', cost: '0.5' };
  for (const [phase, shape] of [PHASE_ZERO, PHASE_ONE, COMPLETE].entries()) {
    it(`writes what its version knows, in phase ${phase}`, async () => {
      await original(shape, async (client) => {
        const program = await originalProgram(client);
        expect(program.phase).toBe(phase);
        const id = await program.insertUser('new@example.test', ['3', '2', '3']);
        await program.insertUser('other@example.test');
        const array = 'select allowed_groups::text from users where id = $1';
        const pairs =
          'select array_agg(group_id order by group_id)::text from user_allowed_groups where user_id = $1';
        if (phase < 2) expect((await client.query(array, [id])).rows).toEqual([{ allowed_groups: '{2,3}' }]);
        if (phase > 0) expect((await client.query(pairs, [id])).rows).toEqual([{ array_agg: '{2,3}' }]);
        await program.setGroups(id, []);
        if (phase < 2) expect((await client.query(array, [id])).rows).toEqual([{ allowed_groups: null }]);
        if (phase > 0) expect((await client.query(pairs, [id])).rows).toEqual([{ array_agg: null }]);
        await program.charge(id, '0.00000001');
        expect(await list(client, `select balance::text from users where id = ${id}`)).toEqual([
          '-0.00000001',
        ]);
        expect(await program.insertLog({ ...log, requestId: 'once' })).toBe(true);
        expect(await program.insertLog({ ...log, requestId: 'once' })).toBe(phase < 2);
        await program.updateAccount('3', 'fresh');
        expect(
          await list(client, `select credentials ->> 'access_token' from accounts where id = 3`),
        ).toEqual(['fresh']);
      });
    });
  }
});

it('forms may be mixed, from the first file on', async () => {
  const shapes: OriginalShape[] = [
    { at: 1, hasLedger: false },
    { at: 3, hasLedger: true, gorm: 'lost', hasOldCacheColumns: true },
    { at: 27, hasLedger: true, gorm: 'lost', isDivided: true },
    { ...LEGACY, isDivided: true },
  ];
  for (const shape of shapes) {
    await original(shape, async (client) => {
      expect(await list(client, 'select count(*)::int from usage_logs')).toEqual([400]);
    });
  }
});

it('a newer and a changed original say so in the ledger', async () => {
  const known = new Map(gatewayAdoption.known.map(({ name, checksums }) => [name, checksums]));
  const odd = async (client: Client): Promise<string[]> => {
    const { rows } = await client.query<{ filename: string; checksum: string }>(
      'select * from schema_migrations order by 1',
    );
    return rows
      .filter(({ filename, checksum }) => !known.get(filename)?.includes(checksum))
      .map(({ filename }) => filename);
  };
  expect(await original(COMPLETE, odd)).toEqual([]);
  expect(await built(createNewer, odd)).toEqual([
    '045_add_payment_orders.sql',
    '046_add_order_index_notx.sql',
  ]);
  expect(await built(createChanged, odd)).toEqual(['001_init.sql']);
});
