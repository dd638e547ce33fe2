import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories, generateRedeemCode } from 'tombstone/gateway';
import { codeOf, mustCreateRedeemCode } from '../support/gateway-codes.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const repositories = (): GatewayRepositories => gatewayRepositories(gateway.em());
const codes = (): GatewayRepositories['redeemCodes'] => repositories().redeemCodes;

it('F43: makes codes that fit the column, where the original’s had 35 characters', async () => {
  const [column] = await gateway.rows<{ length: number }>(
    `select character_maximum_length as length from information_schema.columns where table_name = 'redeem_codes' and column_name = 'code'`,
  );
  const original = 'xxxxxxxx-xxxxxxxx-xxxxxxxx-xxxxxxxx';
  expect(original).toHaveLength(35);
  const stored = gateway.rows('insert into redeem_codes (code, value) values (?, 1)', [original]);
  expect(await codeOf(stored)).toBe('VALIDATION');
  expect(await codeOf(codes().create({ code: original, value: '1' }))).toBe('VALIDATION');
  const made = Array.from({ length: 20_000 }, generateRedeemCode);
  expect(new Set(made).size).toBe(made.length);
  expect(made.filter((code) => code.length > (column?.length ?? 0))).toEqual([]);
  expect(made.filter((code) => !/^([2-9A-HJKMNP-Z]{5}-){4}[2-9A-HJKMNP-Z]{5}$/.test(code))).toEqual([]);
});

describe('creating codes', () => {
  it('F44: gives 30 days where none are said, and keeps a 0 that is', async () => {
    await gateway.rows(`insert into redeem_codes (code, value, validity_days) values ('zero value', 1, 0)`);
    expect((await codes().getByCode('zero value')).validityDays).toBe(0);
    const made = await mustCreateRedeemCode(gateway.em());
    expect(made).toMatchObject({ type: 'balance', status: 'unused', validityDays: 30, value: '1.00000000' });
    expect(made).toMatchObject({ usedBy: null, usedAt: null, notes: null, groupId: null });
    expect(await codes().getById(made.id)).toEqual(made);
    expect((await mustCreateRedeemCode(gateway.em(), { validityDays: 0 })).validityDays).toBe(0);
  });

  it('makes a batch of 10,000 in one statement, in its order, and none of it when one is there already', async () => {
    const batch = Array.from({ length: 10_000 }, (_, n) => ({ code: generateRedeemCode(), value: `${n}` }));
    gateway.statements();
    const made = await codes().createBatch(batch);
    expect(gateway.statements()).toHaveLength(1);
    expect(made.map((code) => code.code)).toEqual(batch.map((code) => code.code));
    expect(await codes().createBatch([])).toEqual([]);
    expect(gateway.statements()).toEqual([]);
    const again = [{ code: 'not stored', value: '1' }, batch[7] as (typeof batch)[0]];
    expect(await codeOf(codes().createBatch(again))).toBe('REDEEM_CODE_EXISTS');
    expect(await codes().findByCode('not stored')).toBeNull();
  });

  it('F13: refuses a deleted or unknown group or user', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    await repositories().users.delete(user.id);
    await repositories().groups.delete(group.id);
    for (const groupId of [group.id, '987654321'])
      expect(await codeOf(mustCreateRedeemCode(gateway.em(), { groupId }))).toBe('GROUP_NOT_FOUND');
    for (const usedBy of [user.id, '987654321'])
      expect(await codeOf(mustCreateRedeemCode(gateway.em(), { usedBy }))).toBe('USER_NOT_FOUND');
  });

  it.each([
    ['null', null],
    ['no code', { value: '1' }],
    ['no value', { code: 'c' }],
    ['an amount as a number', { code: 'c', value: 1 }],
    ['33 characters', { code: 'c'.repeat(33), value: '1' }],
    ['an unknown type', { code: 'c', value: '1', type: 'gold' }],
    ['an unknown status', { code: 'c', value: '1', status: 'lost' }],
    ['half a request', { code: 'c', value: '1.5', type: 'concurrency' }],
    ['more requests than an integer', { code: 'c', value: '2147483648', type: 'concurrency' }],
    ['an invalid instant', { code: 'c', value: '1', usedAt: new Date('never') }],
    ['half a day', { code: 'c', value: '1', validityDays: 0.5 }],
  ])('refuses %s before any SQL', async (_name, input) => {
    gateway.statements();
    expect(await codeOf(codes().create(input as never))).toBe('VALIDATION');
    expect(await codeOf(codes().createBatch([input as never]))).toBe('VALIDATION');
    expect(gateway.statements()).toEqual([]);
  });

  it('keeps the code out of JSON, logs and errors', async () => {
    const made = await mustCreateRedeemCode(gateway.em(), { code: 'WORTH-MONEY' });
    const twin = await mustCreateRedeemCode(gateway.em(), { code: 'WORTH-MONEY' }).catch((e: unknown) => e);
    const shown = [made, { ...made }, twin].map((x) => JSON.stringify(x) + inspect(x, { depth: 6 })).join();
    expect(shown).toContain('REDEEM_CODE_EXISTS');
    expect(shown).not.toContain('WORTH-MONEY');
    expect(made.code).toBe('WORTH-MONEY');
  });
});

describe('changing, using and deleting a code', () => {
  it('F45: clears by null, keeps what is left out', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const made = await mustCreateRedeemCode(gateway.em(), {
      usedBy: user.id,
      usedAt: new Date(),
      status: 'used',
      notes: 'n',
      groupId: group.id,
    });
    expect(await codes().update({ id: made.id, value: '2' })).toEqual({ ...made, value: '2.00000000' });
    const cleared = { id: made.id, usedBy: null, usedAt: null, notes: null, groupId: null };
    expect(await codes().update(cleared)).toMatchObject({ ...cleared, status: 'used' });
    expect(await codeOf(codes().update({ id: '987654321', notes: 'x' }))).toBe('REDEEM_CODE_NOT_FOUND');
    const other = await mustCreateRedeemCode(gateway.em());
    expect(await codeOf(codes().update({ id: made.id, code: other.code }))).toBe('REDEEM_CODE_EXISTS');
  });

  it('keeps a deleted group that the code has, and refuses it to another code', async () => {
    const group = await mustCreateGroup(gateway.em());
    const made = await mustCreateRedeemCode(gateway.em(), { groupId: group.id });
    const other = await mustCreateRedeemCode(gateway.em());
    await repositories().groups.delete(group.id);
    expect(await codes().update({ id: made.id, groupId: group.id, notes: 'x' })).toMatchObject({
      groupId: group.id,
      notes: 'x',
    });
    expect(await codeOf(codes().update({ id: other.id, groupId: group.id }))).toBe('GROUP_NOT_FOUND');
  });

  it('F41: tells an unknown code from a used one, which one statement of the original could not', async () => {
    const [user, made] = [await mustCreateUser(gateway.em()), await mustCreateRedeemCode(gateway.em())];
    gateway.statements();
    expect(await codes().use(made.id, user.id)).toMatchObject({ status: 'used', usedBy: user.id });
    // The code, and its user, who may have been deleted while the code was waited for.
    expect(gateway.statements()).toHaveLength(2);
    const original = `update redeem_codes set status = 'used' where id = ? and status = 'unused' returning id`;
    for (const id of [made.id, '987654321']) expect(await gateway.rows(original, [id])).toEqual([]);
    expect(await codeOf(codes().use(made.id, user.id))).toBe('REDEEM_CODE_USED');
    expect(await codeOf(codes().use('987654321', user.id))).toBe('REDEEM_CODE_NOT_FOUND');
    const fresh = await mustCreateRedeemCode(gateway.em());
    await repositories().users.delete(user.id);
    expect(await codeOf(codes().use(fresh.id, user.id))).toBe('USER_NOT_FOUND');
    expect(await codes().getById(fresh.id)).toMatchObject({ status: 'unused', usedBy: null });
  });

  it('removes a row, and succeeds for one that is not there', async () => {
    const made = await mustCreateRedeemCode(gateway.em());
    await codes().delete(made.id);
    await codes().delete(made.id);
    expect(await codes().findById(made.id)).toBeNull();
    expect(await codeOf(codes().getByCode(made.code))).toBe('REDEEM_CODE_NOT_FOUND');
    expect(await codeOf(codes().getByCode('a'.repeat(40)))).toBe('REDEEM_CODE_NOT_FOUND');
  });
});

describe('lists of codes', () => {
  it('give user and group, null where they are deleted while the ids stay, in four statements', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const live = await mustCreateRedeemCode(gateway.em(), {
      code: 'list%1',
      groupId: group.id,
      usedBy: user.id,
    });
    const [other, gone] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const dead = await mustCreateRedeemCode(gateway.em(), {
      code: 'LIST%2',
      groupId: gone.id,
      usedBy: other.id,
    });
    await mustCreateRedeemCode(gateway.em(), { code: 'listX3' });
    await repositories().users.delete(other.id);
    await repositories().groups.delete(gone.id);
    gateway.statements();
    const page = await codes().listWithFilters({}, { search: 'list%' });
    expect(gateway.statements()).toHaveLength(4);
    expect(page).toMatchObject({
      total: 2,
      items: [
        { id: dead.id, usedBy: other.id, groupId: gone.id, user: null, group: null },
        { id: live.id, user: { id: user.id, email: user.email }, group: { id: group.id } },
      ],
    });
    gateway.statements();
    await codes().list({ pageSize: 100 });
    expect(gateway.statements().length).toBeLessThanOrEqual(5);
    const filters = { type: 'subscription', status: 'used' } as const;
    expect(await codes().listWithFilters({}, filters)).toMatchObject({ total: 0, pages: 0 });
    expect(await codeOf(codes().listWithFilters({}, { type: 'gold' as never }))).toBe('VALIDATION');
  });

  it('F31: neither repeat nor skip a row when the size is out of range', async () => {
    const { total } = await codes().list();
    expect(total).toBeGreaterThan(200);
    const ids = async (page: number, pageSize: number) =>
      (await codes().list({ page, pageSize })).items.map((code) => code.id);
    // The original's offset, (page - 1) * size: 0 for a size of 0, and 500 where 100 rows are read.
    const original = async (page: number, size: number) =>
      (
        await gateway.rows<{ id: string }>('select id from redeem_codes order by id desc limit ? offset ?', [
          Math.min(size || 20, 100),
          (page - 1) * size,
        ])
      ).map((row) => row.id);
    expect(await original(2, 0)).toEqual(await original(1, 0));
    expect(await ids(2, 0)).toEqual((await ids(1, 100)).slice(20, 40));
    expect(await ids(2, 500)).not.toEqual(await original(2, 500));
    expect(await ids(2, 500)).toEqual(await ids(2, 100));
  });

  it('F30: give what a user has used, the latest first, by id where instants are equal, and without one last', async () => {
    const [user, group] = [await mustCreateUser(gateway.em()), await mustCreateGroup(gateway.em())];
    const at = new Date('2026-01-02T03:04:05Z');
    const make = async (usedAt: Date | null) =>
      (await mustCreateRedeemCode(gateway.em(), { usedBy: user.id, usedAt, groupId: group.id })).id;
    const [none, first, second, later] = [
      await make(null),
      await make(at),
      await make(at),
      await make(new Date('2026-02-01')),
    ];
    const sql = 'select id from redeem_codes where used_by = ? order by used_at desc';
    expect((await gateway.rows<{ id: string }>(sql, [user.id]))[0]?.id).toBe(none);
    gateway.statements();
    const listed = await codes().listByUser(user.id);
    expect(gateway.statements()).toHaveLength(2);
    expect(listed.map((code) => code.id)).toEqual([later, second, first, none]);
    expect(listed[0]).toMatchObject({ group: { id: group.id } });
    expect(await codes().listByUser(user.id, 2)).toHaveLength(2);
    expect(await codes().listByUser(user.id, -1)).toHaveLength(4);
  });
});
