import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type GatewayRepositories, gatewayRepositories, User } from 'tombstone/gateway';
import { codeOf } from '../support/gateway-users.ts';
import { type Gateway, mustCreateGroup, mustCreateUser, openGateway } from '../support/gateway.ts';

const CALLERS = 40;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS } });
});
afterAll(() => gateway.close());

const users = (): GatewayRepositories['users'] => gatewayRepositories(gateway.em()).users;
const each = <T>(work: (caller: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, caller) => work(caller)));
/** Statements that change users, without what the logger adds. */
const updates = (): string[] =>
  gateway
    .statements()
    .filter((sql) => /update "?users"? /.test(sql))
    .map((sql) => sql.replace(/ \[took .*$/, ''));

describe('amounts', () => {
  // Ten decimals each, of both signs and of very different sizes.
  const amounts = Array.from({ length: CALLERS }, (_, n) => {
    const whole = n % 4 === 0 ? 12_345_678_901n + BigInt(n) : BigInt(n % 7);
    return `${n % 3 === 1 ? '-' : ''}${whole}.${String(n * 123_456_789 + 1)
      .padStart(10, '0')
      .slice(-10)}`;
  });
  const scaled = (amount: string): bigint => BigInt(amount.replace('.', ''));
  const sum = amounts.reduce((total, amount) => total + 3n * scaled(amount), scaled('5.0000000001'));

  it('F1: sum exactly to ten decimals over 40 connections, where float64 does not', async () => {
    const floats = amounts.reduce((total, amount) => total + 3 * Number(amount), 5.0000000001);
    expect(BigInt(Math.round(floats * 1e10))).not.toBe(sum);

    const user = await mustCreateUser(gateway.em(), { balance: '5.0000000001' });
    await each(async (caller) => {
      const amount = amounts[caller] ?? '';
      for (let n = 0; n < 3; n += 1) {
        if (amount.startsWith('-')) await users().deductBalance(user.id, amount.slice(1));
        else await users().updateBalance(user.id, amount);
      }
    });
    expect(scaled((await users().getById(user.id)).balance)).toBe(sum);
  });

  it('F4: are not given back by an edit of the profile, as a write of the whole row does', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '10' });
    const ORIGINAL =
      'update users set notes = ?, balance = ?, concurrency = ? where id = ? and deleted_at is null';
    const read = await users().getById(user.id);
    await users().deductBalance(user.id, '4');
    await gateway.em().execute(ORIGINAL, ['edited', read.balance, read.concurrency, user.id], 'run');
    expect((await users().getById(user.id)).balance).toBe('10.0000000000');

    await each(async (caller) => {
      if (caller % 2) await users().deductBalance(user.id, '0.0000000001');
      else await users().update({ id: user.id, notes: `edited ${caller}`, concurrency: caller });
    });
    expect((await users().getById(user.id)).balance).toBe('9.9999999980');
  });
});

describe('what an update writes', () => {
  const CHANGES = {
    email: 'changed@example.com',
    passwordHash: 'another hash',
    username: 'another name',
    notes: 'a note',
    role: 'admin',
    status: 'disabled',
    concurrency: 9,
  };

  it.each(Object.entries(CHANGES))('F4: %s alone, though all columns are given', async (name, value) => {
    const user = await mustCreateUser(gateway.em());
    const { email, username, notes, role, status, concurrency, passwordHash } = user;
    gateway.statements();
    const same = { id: user.id, email, username, notes, role, status, concurrency, passwordHash };
    const changed = await users().update({
      ...same,
      [name]: value,
      ...(name === 'email' && { email: `${user.id}@x` }),
    });
    const sent = updates();
    expect(sent).toHaveLength(1);
    const [, set = ''] = /set (.*) where/.exec(sent[0] ?? '') ?? [];
    const columns = [...set.matchAll(/"(\w+)" = /g)].map((match) => match[1]);
    expect(columns).toEqual([name.replace(/[A-Z]/g, (upper) => `_${upper.toLowerCase()}`), 'updated_at']);
    expect(await users().getById(user.id)).toEqual(changed);
  });

  it('F4: nothing at all, when nothing differs or only the set is replaced', async () => {
    const group = await mustCreateGroup(gateway.em());
    const user = await mustCreateUser(gateway.em(), { allowedGroups: [group.id] });
    gateway.statements();
    const same = { ...user, passwordHash: user.passwordHash, allowedGroups: [group.id] };
    expect(await users().update(same)).toEqual(user);
    expect(await users().update({ id: user.id })).toEqual(user);
    expect((await users().update({ id: user.id, allowedGroups: [] })).updatedAt).toEqual(user.updatedAt);
    expect(updates()).toEqual([]);
  });

  it('F16: the instant of every write, where the original’s charge leaves the old one', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '10' });
    const instant = async (): Promise<string> => {
      const [row] = await gateway.rows<{ at: string }>(
        'select updated_at::text as at from users where id = ?',
        [user.id],
      );
      return row?.at ?? '';
    };
    const before = await instant();
    const ORIGINAL = 'update users set balance = balance - 1 where id = ? and deleted_at is null';
    await gateway.em().execute(ORIGINAL, [user.id], 'run');
    expect(await instant()).toBe(before);

    const seen = [before];
    const writes = [
      () => users().updateBalance(user.id, '1'),
      () => users().deductBalance(user.id, '1'),
      () => users().setBalance(user.id, 'add', '1'),
      () => users().updateConcurrency(user.id, 1),
      () => users().update({ id: user.id, notes: 'x' }),
      () => users().delete(user.id),
    ];
    for (const write of writes) {
      await write();
      seen.push(await instant());
    }
    expect(seen.toSorted()).toEqual(seen);
    expect(new Set(seen).size).toBe(writes.length + 1);
  });
});

describe('deleted users', () => {
  it('F11: keep their balance, which the original’s charge changes', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '10' });
    await users().delete(user.id);
    const balance = async (): Promise<unknown> =>
      (await gateway.rows<{ balance: string }>('select balance from users where id = ?', [user.id]))[0]
        ?.balance;
    await gateway.rows('update users set balance = balance - 1 where id = ?', [user.id]);
    expect(await balance()).toBe('9.0000000000');
    const attempts = [users().deductBalance(user.id, '1'), users().updateBalance(user.id, '-1')];
    expect(await Promise.all(attempts.map(codeOf))).toEqual(['USER_NOT_FOUND', 'USER_NOT_FOUND']);
    expect(await balance()).toBe('9.0000000000');
  });

  it('F12: are deleted again with success, where the original’s statement finds no row', async () => {
    const user = await mustCreateUser(gateway.em());
    const ORIGINAL = 'update users set deleted_at = now() where id = ? and deleted_at is null';
    const rows = async (): Promise<unknown> =>
      (await gateway.em().execute<{ affectedRows: number }>(ORIGINAL, [user.id], 'run')).affectedRows;
    expect([await rows(), await rows()]).toEqual([1, 0]);
    expect(await codeOf(users().delete(user.id))).toBe('done');
  });

  it('F14: free their e-mail, in the answer of existsByEmail as in the index', async () => {
    const user = await mustCreateUser(gateway.em());
    expect(await users().existsByEmail(user.email)).toBe(true);
    await users().delete(user.id);
    expect(await gateway.em().skipSoftDelete((em) => em.count(User, { email: user.email }))).toBe(1);
    expect(await users().existsByEmail(user.email)).toBe(false);
    expect(await codeOf(mustCreateUser(gateway.em(), { email: user.email }))).toBe('done');
  });
});

describe('an e-mail that several want', () => {
  it('F25: goes to one; all were told before that it is free, so asking first decides nothing', async () => {
    const email = 'wanted@example.com';
    const asked = await each(() => users().existsByEmail(email));
    expect(asked).toEqual(Array(CALLERS).fill(false));
    const codes = await each(() => codeOf(users().create({ email, passwordHash: 'h' })));
    expect(codes.toSorted()).toEqual([...Array(CALLERS - 1).fill('EMAIL_EXISTS'), 'done']);
    const rows = await gateway.rows('select from users where email = ?', [email]);
    expect(rows).toHaveLength(1);
  });

  it('F25: goes to one of those who change theirs to it', async () => {
    const people = await each(() => mustCreateUser(gateway.em()));
    const email = 'changed to@example.com';
    const codes = await each((caller) => codeOf(users().update({ id: people[caller]?.id ?? '', email })));
    expect(codes.toSorted()).toEqual([...Array(CALLERS - 1).fill('EMAIL_EXISTS'), 'done']);
  });
});

describe('pages', () => {
  it('F31: do not repeat or skip users, where the original’s offset does', async () => {
    const own = await openGateway();
    await own.rows(
      `insert into users (email, password_hash) select n || '@example.com', 'h' from generate_series(1, 205) n`,
    );
    // page 2 of size 0, and of size 500: the limit is clamped, and the offset is not.
    const ORIGINAL = `select id from users where deleted_at is null order by id desc limit ? offset ?`;
    const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);
    const original = async (limit: number, offset: number): Promise<string[]> =>
      ids(await own.em().execute<{ id: string }[]>(ORIGINAL, [limit, offset]));
    expect(await original(20, (2 - 1) * 0)).toEqual(await original(20, (1 - 1) * 0));
    expect(await original(100, (2 - 1) * 500)).toEqual([]);

    const page = async (number: number, pageSize: number): Promise<string[]> =>
      ids((await gatewayRepositories(own.em()).users.list({ page: number, pageSize })).items);
    for (const pageSize of [0, 500, -1]) {
      const pages = [];
      for (let number = 1; number <= 11; number += 1) pages.push(await page(number, pageSize));
      expect(pages.flat()).toHaveLength(205);
      expect(new Set(pages.flat()).size).toBe(205);
    }
    await own.close();
  });
});

describe('refusals of the database', () => {
  it('F41: are codes of the domain, where the driver’s own error names the row', async () => {
    const user = await mustCreateUser(gateway.em(), { balance: '999999999999' });
    const client = new Client({ connectionString: gateway.url });
    await client.connect();
    const raw = (sql: string, params: unknown[]): Promise<unknown> => codeOf(client.query(sql, params));
    const insert = `insert into users (email, password_hash) values ($1, 'h')`;
    const pair = 'insert into user_allowed_groups (user_id, group_id) values ($1, 999999)';
    const add = 'update users set balance = balance + 1 where id = $1';
    expect([await raw(insert, [user.email]), await raw(pair, [user.id]), await raw(add, [user.id])]).toEqual([
      '23505',
      '23503',
      '22003',
    ]);
    await client.end();

    const taken = await Promise.allSettled([mustCreateUser(gateway.em(), { email: user.email })]);
    expect(taken[0]).toMatchObject({ reason: { code: 'EMAIL_EXISTS', status: 409, sqlState: '23505' } });
    expect(JSON.stringify(taken) + String(taken[0]?.status === 'rejected' && taken[0].reason)).not.toContain(
      user.email,
    );
    const unknown = users().update({ id: user.id, allowedGroups: ['999999'] });
    expect(await codeOf(unknown)).toBe('GROUP_NOT_FOUND');
    const [over] = await Promise.allSettled([users().updateBalance(user.id, '1')]);
    expect(over).toMatchObject({ reason: { code: 'VALIDATION', status: 400, sqlState: '22003' } });
  });
});
