import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { gateway as module, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { Migrator } from 'tombstone/migrations';
import { emptyTestDatabase } from '../support/database.ts';
import { codeOf, mustCreatePromoCode } from '../support/gateway-codes.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());
const promos = (): GatewayRepositories['promoCodes'] => repositories().promoCodes;

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

describe('the migration that folds codes', () => {
  const migrator = (url: string) => new Migrator({ connection: url, modules: [module] });

  it('F34: refuses codes that differ in case only and says how many, then folds, then refuses new ones', async () => {
    const { url } = await emptyTestDatabase();
    await migrator(url).up({ to: '017_create_promo_codes' });
    await withClient(url, async (client) => {
      await client.query(
        `insert into promo_codes (code) values ('spring'), ('Spring'), ('SPRING'), ('fall'), ('Fall'), ('solo')`,
      );
      // The original's look-up finds more than one.
      const { rows } = await client.query(`select 1 from promo_codes where code ilike 'spring'`);
      expect(rows).toHaveLength(3);
      const refusal = await migrator(url)
        .up()
        .then(() => '', String);
      expect(refusal).toMatch(/5 promo codes are 2 texts in different cases/);
      expect(refusal).not.toMatch(/spring|fall|solo/i);
      expect((await client.query(`select 1 from promo_codes where code = 'solo'`)).rows).toHaveLength(1);
      await client.query(`delete from promo_codes where code in ('Spring', 'SPRING', 'Fall')`);
      await migrator(url).up();
      const after = await client.query<{ code: string }>('select code from promo_codes order by code');
      expect(after.rows.map((row) => row.code)).toEqual(['FALL', 'SOLO', 'SPRING']);
      await expect(client.query(`insert into promo_codes (code) values ('solo')`)).rejects.toMatchObject({
        constraint: 'promo_codes_code_unique_upper',
      });
      await migrator(url).down({ to: '017_create_promo_codes' });
      await client.query(`insert into promo_codes (code) values ('solo')`);
    });
  });
});

describe('promo codes', () => {
  it('F34: are stored in upper case, found in any, and in the way of every other case', async () => {
    const made = await promos().create({ code: 'Grüße-10', bonusAmount: '2.5', maxUses: 3 });
    expect(made).toMatchObject({ bonusAmount: '2.50000000', maxUses: 3, usedCount: 0, status: 'active' });
    expect(made.code).toContain('GR');
    expect((await promos().getByCode('grüße-10')).id).toBe(made.id);
    expect(await codeOf(promos().create({ code: 'GRüße-10' }))).toBe('PROMO_CODE_EXISTS');
    const other = await mustCreatePromoCode(gateway.em(), { code: 'other' });
    expect(await codeOf(promos().update({ id: other.id, code: 'Grüße-10' }))).toBe('PROMO_CODE_EXISTS');
    expect(await promos().update({ id: other.id, code: 'renamed' })).toMatchObject({ code: 'RENAMED' });
    expect(await promos().findByCode('other')).toBeNull();
    // A wildcard is a letter like any other.
    expect(await promos().findByCode('rename_')).toBeNull();
  });

  it('F45: clear by null, keep what is left out, and never write the count', async () => {
    const made = await mustCreatePromoCode(gateway.em(), { expiresAt: new Date('2030-01-01'), notes: 'n' });
    await promos().incrementUsedCount(made.id);
    const kept = await promos().update({ id: made.id, bonusAmount: '3', usedCount: 0 } as never);
    expect(kept).toMatchObject({ usedCount: 1, notes: 'n', expiresAt: new Date('2030-01-01') });
    const cleared = await promos().update({ id: made.id, expiresAt: null, notes: null });
    expect(cleared).toMatchObject({ expiresAt: null, notes: null, bonusAmount: '3.00000000' });
  });

  it('F41: answer a code of their own for each refusal', async () => {
    const [made, user] = [await mustCreatePromoCode(gateway.em()), await mustCreateUser(gateway.em())];
    const usage = { promoCodeId: made.id, userId: user.id, bonusAmount: '1' };
    expect(await promos().findUsageByPromoCodeAndUser(made.id, user.id)).toBeNull();
    expect(await codeOf(promos().getUsageByPromoCodeAndUser(made.id, user.id))).toBe('DATA.NOT_FOUND');
    const used = await promos().createUsage(usage);
    expect(await promos().getUsageByPromoCodeAndUser(made.id, user.id)).toEqual(used);
    expect(await codeOf(promos().createUsage(usage))).toBe('PROMO_CODE_ALREADY_USED');
    const unknown = '987654321';
    expect(await codeOf(promos().createUsage({ ...usage, promoCodeId: unknown }))).toBe(
      'PROMO_CODE_NOT_FOUND',
    );
    expect(await codeOf(promos().createUsage({ ...usage, userId: unknown }))).toBe('USER_NOT_FOUND');
    for (const attempt of [
      promos().getById(unknown),
      promos().getByCode('unknown'),
      promos().incrementUsedCount(unknown),
      promos().update({ id: unknown, notes: 'x' }),
    ])
      expect(await codeOf(attempt)).toBe('PROMO_CODE_NOT_FOUND');
    await promos().delete(made.id);
    await promos().delete(made.id);
    expect(await promos().findUsageByPromoCodeAndUser(made.id, user.id)).toBeNull();
  });

  it.each([
    ['null', null],
    ['no code', {}],
    ['33 characters', { code: 'c'.repeat(33) }],
    ['a code that is longer in upper case', { code: 'ß'.repeat(17) }],
    ['a negative bonus', { code: 'c', bonusAmount: '-1' }],
    ['negative uses', { code: 'c', maxUses: -1 }],
    ['an unknown status', { code: 'c', status: 'gone' }],
    ['an invalid instant', { code: 'c', expiresAt: new Date('never') }],
  ])('refuse %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(promos().create(input as never))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('are locked in a transaction only', async () => {
    const made = await mustCreatePromoCode(gateway.em());
    gateway.statements();
    expect(await codeOf(promos().getByCodeForUpdate(made.code))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
    await gateway.em().transactional(async (tx) => {
      const locked = await gatewayRepositories(tx).promoCodes.getByCodeForUpdate(made.code.toLowerCase());
      expect(locked.id).toBe(made.id);
      const beside = 'select id from promo_codes where id = ? for update skip locked';
      expect(await gateway.rows(beside, [made.id])).toEqual([]);
    });
  });

  it('are listed newest first, and their uses with the user', async () => {
    const own = await mustCreatePromoCode(gateway.em(), { code: 'uses' });
    const [one, two] = [await mustCreateUser(gateway.em()), await mustCreateUser(gateway.em())];
    for (const { id } of [one, two])
      await promos().createUsage({ promoCodeId: own.id, userId: id, bonusAmount: '1' });
    await repositories().users.delete(two.id);
    gateway.statements();
    expect(await promos().listUsagesByPromoCode(own.id)).toMatchObject({
      total: 2,
      items: [
        { userId: two.id, user: null },
        { userId: one.id, user: { email: one.email } },
      ],
    });
    expect(gateway.statements()).toHaveLength(3);
    expect(await promos().listWithFilters({}, { status: 'active', search: 'USE' })).toMatchObject({
      total: 1,
      items: [{ id: own.id }],
    });
    expect(gateway.statements()).toHaveLength(2);
    const { items } = await promos().list();
    expect(items.map(({ id }) => Number(id))).toEqual(
      items.map(({ id }) => Number(id)).toSorted((a, b) => b - a),
    );
  });

  it('F34: are found by the index among 100,000, where the original read the whole table', async () => {
    await gateway.rows(`insert into promo_codes (code) select 'CODE' || n from generate_series(1, 100000) n`);
    await gateway.rows('analyze promo_codes');
    const planOf = async (sql: string): Promise<string> =>
      (await gateway.rows<object>(`explain ${sql}`)).map((row) => Object.values(row)[0] as string).join('\n');
    expect(await planOf(`select * from promo_codes where code ilike 'code777'`)).toContain('Seq Scan');
    gateway.statements();
    await promos().getByCode('code777');
    await gateway
      .em()
      .transactional((tx) => gatewayRepositories(tx).promoCodes.getByCodeForUpdate('code778'));
    const [read, lock] = gateway.statements().map((sql) => sql.replace(/ \[took .*$/, ''));
    for (const sql of [read, lock])
      expect(await planOf(String(sql))).toContain('Index Scan using promo_codes_code_unique_upper');
  });
});
