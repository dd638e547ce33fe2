import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gateway, gatewayRepositories, verifyAllowedGroups } from 'tombstone/gateway';
import {
  type Adopted,
  adoptDatabase,
  type AdoptOptions,
  differenceOf,
  MigrationError,
  Migrator,
  readSchema,
  type SchemaDescription,
} from 'tombstone/migrations';
import { cloneTestDatabase, emptyTestDatabase } from '../support/database.ts';
import { openGateway } from '../support/gateway.ts';
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
import { snapshotRows } from '../support/original/snapshot.ts';

const SIZE = { users: 300, logs: 900 };
const modules = [gateway];
const clients: Client[] = [];
afterAll(async () => {
  for (const client of clients) await client.end();
});

interface Original {
  readonly url: string;
  readonly client: Client;
}

async function original(shape?: OriginalShape): Promise<Original> {
  const { url } = await emptyTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  clients.push(client);
  if (shape) await createOriginal(client, shape, SIZE);
  return { url, client };
}

const adopt = ({ url }: Original, options: Partial<AdoptOptions> = {}): Promise<Adopted> =>
  adoptDatabase({ connection: url, modules, ...options });

let fresh: SchemaDescription;
beforeAll(async () => {
  fresh = await readSchema((await cloneTestDatabase()).url);
});

/** Rows of the original's ledgers. */
async function ledgers({ client }: Original): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const table of ['schema_migrations', 'atlas_schema_revisions']) {
    const { rows } = await client.query<{ name: string | null }>('select to_regclass($1)::text as name', [
      table,
    ]);
    if (rows[0]?.name === null) continue;
    const where = table === 'schema_migrations' ? `where filename !~ '/' order by filename` : '';
    found.push((await client.query(`select * from ${table} ${where}`)).rows);
  }
  return found;
}

/** What a fresh database has and this one lacks, or has otherwise. */
async function lacks({ url }: Original): Promise<string[]> {
  return differenceOf(fresh, await readSchema(url))
    .filter(({ expected }) => expected !== undefined)
    .map(({ kind, name }) => `${kind} ${name}`);
}

const STATES: readonly [string, OriginalShape, string][] = [
  ['a complete original', COMPLETE, 'complete'],
  ['one with Sora', WITH_SORA, 'complete'],
  ['phase 0', PHASE_ZERO, 'partial'],
  ['phase 1', PHASE_ONE, 'partial'],
  ['one that GORM has made', LEGACY, 'legacy'],
  ['one that lost its uniques', LEGACY_LOST, 'legacy'],
  ['one that lost its uniques, with a ledger', { ...LEGACY_LOST, hasLedger: true }, 'partial'],
  ['one with old names of cache columns', { ...PHASE_ZERO, hasOldCacheColumns: true }, 'partial'],
];

describe('taking over', () => {
  it.each(STATES)('%s keeps every row and ends as a fresh database', async (_name, shape, state) => {
    const made = await original(shape);
    const rows = await snapshotRows(made.client);
    const own = await ledgers(made);
    const { plan } = await adopt(made, { apply: true });
    expect([plan.state, plan.blockers]).toEqual([state, []]);
    await new Migrator({ connection: made.url, modules }).up();
    // The original's index on the group alone is accepted in the place of ours.
    const accepted = plan.kept.some(({ name }) => name === 'public.idx_usage_logs_group_id');
    expect(await lacks(made)).toEqual(accepted ? ['index public.idx_usage_logs_group_id'] : []);
    expect(await snapshotRows(made.client, rows)).toEqual(rows);
    // A legacy database had none.
    expect((await ledgers(made)).slice(0, own.length)).toEqual(own);
    const { rows: left } = await made.client.query(
      `select relname from pg_class where relname ~ 'tombstone_adopt'`,
    );
    expect(left).toEqual([]);
    expect((await adopt(made)).plan.state).toBe('ours');
  });

  it('an empty database is what migrating it is', async () => {
    const made = await original();
    expect((await adopt(made, { apply: true })).plan.state).toBe('empty');
    expect(differenceOf(fresh, await readSchema(made.url))).toEqual([]);
  });
});

describe('what is refused', () => {
  const refused: readonly [string, (made: Original) => Promise<unknown>, RegExp][] = [
    [
      'a newer original',
      ({ client }) => createNewer(client, SIZE),
      /which nobody here knows.*--accept-newer/s,
    ],
    ['a changed file', ({ client }) => createChanged(client, SIZE), /with a text that nobody here knows/],
    [
      'duplicates',
      async ({ client }) => {
        await createOriginal(client, LEGACY_LOST, SIZE);
        await plantDuplicates(client);
      },
      /(?=.*users_email_unique_active)(?=.*api_keys_key_key)(?=.*redeem_codes_code_key)(?=.*settings_key_key)/s,
    ],
    [
      'usage logs that are partitioned by hand',
      ({ client }) => createOriginal(client, { ...COMPLETE, isDivided: true }, SIZE),
      /public\.usage_logs is "table partition by RANGE \(created_at\)"/,
    ],
    [
      "a later program's sora_accounts",
      ({ client }) => createOriginal(client, { ...COMPLETE, at: 44, sora: 'later' }, SIZE),
      /sora_accounts/,
    ],
  ];

  it.each(refused)('%s, before anything changes', async (_name, make, text) => {
    const made = await original();
    await make(made);
    const [schema, rows] = [await readSchema(made.url), await snapshotRows(made.client)];
    const error = await adopt(made, { apply: true }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(MigrationError);
    expect((error as MigrationError).code).toBe('MIGRATION.ADOPTION');
    expect((error as MigrationError).message).toMatch(text);
    expect(differenceOf(schema, await readSchema(made.url))).toEqual([]);
    expect(await snapshotRows(made.client, rows)).toEqual(rows);
  });
});

describe('beside the original program', () => {
  it('both write, and no right and no money is lost', async () => {
    const made = await original(PHASE_ONE);
    const second = new Client({ connectionString: made.url });
    await second.connect();
    clients.push(second);
    const program = await originalProgram(second);
    const { rows: live } = await made.client.query<{ id: string }>(
      'select id from users where deleted_at is null order by id limit 50',
    );
    const idAt = (turn: number): string => live[turn % live.length]?.id ?? '';
    const before = await balances(made);
    const stop = new AbortController();
    let charges = 0;
    const writing = (async () => {
      for (let turn = 0; !stop.signal.aborted; turn += 1) {
        await program.charge(idAt(turn), '0.01');
        charges += 1;
        if (turn % 5 === 0) await program.insertUser(`new${turn}@example.com`, ['1', '2']);
        if (turn % 7 === 0) await program.setGroups(idAt(turn), ['1', '3']);
      }
    })();
    await adopt(made, { apply: true });
    const gate = await openGateway({ url: made.url });
    const repositories = gatewayRepositories(gate.em(), { allowedGroups: 'dual-write' });
    const { id } = await repositories.users.create({
      email: 'ours@example.com',
      passwordHash: 'x',
      allowedGroups: ['2'],
    });
    await program.charge(id, '1.00');
    stop.abort();
    await writing;
    expect((await repositories.users.getById(id)).balance).toBe('-1.0000000000');
    expect(charges).toBeGreaterThan(10);
    expect(before - (await balances(made))).toBe(BigInt(charges) * 100_000_000n + 10_000_000_000n);
    expect(await verifyAllowedGroups(gate.em())).toMatchObject({ missing: 0 });
    await adopt(made, { apply: true, contract: true });
    await new Migrator({ connection: made.url, modules }).up();
    expect(await lacks(made)).not.toContain('column public.users.allowed_groups');
    await gate.close();
    await gate.orm.close();
  });
});

/** In units of the tenth decimal. */
async function balances({ client }: Original): Promise<bigint> {
  const sql = 'select (sum(balance) * 10000000000)::bigint::text as sum from users';
  const { rows } = await client.query<{ sum: string }>(sql);
  return BigInt(rows[0]?.sum ?? 0);
}
