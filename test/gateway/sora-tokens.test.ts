import { inspect } from 'node:util';
import { serialize, wrap } from '@mikro-orm/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type SoraKeySet, SoraAccount } from 'tombstone/gateway';
import { codeOf, mustCreateSoraAccount, ROTATED_KEYS, SORA_KEYS, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const SECRET = 'eyJ-the-token';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: 12 } });
});
afterAll(() => gateway.close());

const TOKENS = { accessToken: SECRET, sessionToken: `${SECRET} 2`, refreshToken: `${SECRET} 3` };

async function mustStore(tokens: object = TOKENS, keys = SORA_KEYS): Promise<string> {
  const id = await mustCreateSoraAccount(gateway);
  await soraOf(gateway, keys).soraAccounts.upsert(id, tokens);
  return id;
}

const read = async (id: string, keys?: SoraKeySet): Promise<(string | null)[]> => {
  const tokens = await soraOf(gateway, keys).soraAccounts.findTokens(id);
  return [tokens?.accessToken, tokens?.sessionToken, tokens?.refreshToken].map(
    (token) => token?.reveal() ?? null,
  );
};

const storedOf = async (id: string): Promise<Record<string, string | null>> => {
  const sql = 'select access_token, session_token, refresh_token from sora_accounts where account_id = ?';
  const [row] = await gateway.rows<Record<string, string | null>>(sql, [id]);
  return row ?? {};
};

const setStored = (id: string, column: string, text: string | null) =>
  gateway.rows(`update sora_accounts set ${column} = ? where account_id = ?`, [text, id]);

describe('a token', () => {
  it('comes back as it was stored, and only from the call that is for it', async () => {
    const id = await mustStore({ accessToken: SECRET, refreshToken: 'é😀' });
    expect(await read(id)).toEqual([SECRET, null, 'é😀']);
    const { soraAccounts } = soraOf(gateway);
    const record = await soraAccounts.getByAccountId(id);
    expect(record).toMatchObject({ hasAccessToken: true, hasSessionToken: false, hasRefreshToken: true });
    expect(Object.keys(record ?? {}).filter((key) => /^(access|session|refresh)/i.test(key))).toEqual([]);
    expect(await soraAccounts.findTokens('987654321')).toBeNull();
  });

  it('is in the table as a text of its own each time, with the name of its key', async () => {
    const [one, two] = [await mustStore(), await mustStore()];
    const texts = [...Object.values(await storedOf(one)), ...Object.values(await storedOf(two))];
    expect(texts.every((text) => /^sora:v1:k1:[\w-]+$/.test(text ?? ''))).toBe(true);
    expect(new Set(texts).size).toBe(6);
    expect(JSON.stringify(texts)).not.toContain(SECRET);
  });

  it('is in no statement that is logged, though its values are', async () => {
    gateway.statements();
    // As a control: the original binds the token itself.
    await gateway.rows('select ?::text as token', [SECRET]);
    expect(gateway.statements().join()).toContain(SECRET);
    const id = await mustStore();
    await soraOf(gateway, ROTATED_KEYS).soraAccounts.reencryptTokens();
    await read(id, ROTATED_KEYS);
    const log = gateway.statements().join();
    expect(log).toContain('sora:v1:k2:');
    expect(log).not.toContain(SECRET);
  });

  it('is shown by nothing that prints it, and by no entity', async () => {
    const id = await mustStore();
    const tokens = await soraOf(gateway).soraAccounts.findTokens(id);
    const shown = (value: unknown): string =>
      [
        inspect(value, { depth: 9, showHidden: true, getters: true }),
        JSON.stringify(value),
        String(value),
        JSON.stringify({ ...(value as object) }),
      ].join();
    expect(shown({ token: SECRET })).toContain(SECRET);
    expect([shown(tokens), shown(tokens?.accessToken), String(tokens?.accessToken)].join()).not.toContain(
      SECRET,
    );
    expect(shown(tokens)).toContain('[hidden token]');

    const em = gateway.em();
    const entity = await em.findOneOrFail(SoraAccount, { account: id });
    expect(shown(entity) + JSON.stringify(serialize(entity))).not.toMatch(/sora:v1|Token/);
    await em.populate(entity, ['accessToken']);
    expect(entity.accessToken?.reveal()).toMatch(/^sora:v1:k1:/);
    expect(JSON.stringify(entity) + JSON.stringify(serialize(entity))).not.toMatch(/sora:v1|accessToken/);
  });

  it('that an entity has loaded is shown by none of its forms, also where the original has stored it', async () => {
    const id = await mustStore();
    await setStored(id, 'session_token', SECRET);
    const em = gateway.em();
    const entity = await em.findOneOrFail(SoraAccount, { account: id }, { populate: ['*'] });
    const forms = [entity, wrap(entity).toPOJO(), wrap(entity).toObject(), serialize(entity), em];
    const shown = forms.map((form) => inspect(form, { depth: 9, showHidden: true })).join();
    const json = JSON.stringify([...forms.slice(0, -1), serialize(entity, { includeHidden: true })]);
    expect(`${shown} ${json}`).not.toMatch(/eyJ|sora:v1/);
    // What is loaded is written back as it is, and only where it has changed.
    gateway.statements();
    entity.remark = 'seen';
    await em.flush();
    expect(gateway.statements().join()).not.toMatch(/token/);
    entity.refreshToken = entity.sessionToken;
    await em.flush();
    expect(await storedOf(id)).toMatchObject({ session_token: SECRET, refresh_token: SECRET });
    await gateway.rows('delete from sora_accounts where account_id = ?', [id]);
  });

  it('is not written by an entity, which would show it to a log', async () => {
    const id = await mustStore();
    const em = gateway.em();
    const entity = await em.findOneOrFail(SoraAccount, { account: id });
    const { accessToken } = (await soraOf(gateway).soraAccounts.findTokens(id)) ?? {};
    for (const plain of [SECRET, accessToken]) {
      gateway.statements();
      entity.accessToken = plain as never;
      const error = await em.flush().catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'VALIDATION' });
      expect(inspect([error, gateway.statements()], { depth: 9 })).not.toContain(SECRET);
    }
  });

  it('of a deleted account is given to nobody', async () => {
    const id = await mustStore();
    await gatewayRepositories(gateway.em()).accounts.delete(id);
    expect(await soraOf(gateway).soraAccounts.findTokens(id)).toBeNull();
    expect(await soraOf(gateway).soraAccounts.getByAccountId(id)).toMatchObject({ hasAccessToken: true });
  });
});

describe('what was not encrypted with a key that is there', () => {
  const refusal = async (id: string, keys?: SoraKeySet) => {
    const error = await soraOf(gateway, keys)
      .soraAccounts.findTokens(id)
      .then(
        () => null,
        (reason: unknown) => reason as Error & { code: string },
      );
    expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/eyJ|sora:v1:/);
    return error?.code;
  };

  it('is refused by its own code, without a text of it', async () => {
    const id = await mustStore();
    const other = { current: 'k1', keys: { k1: Buffer.alloc(32, 'x') } };
    const unknown = { current: 'k9', keys: { k9: Buffer.alloc(32, 'x') } };
    expect(await refusal(id, other)).toBe('SORA_TOKEN_UNREADABLE');
    expect(await refusal(id, unknown)).toBe('SORA_KEY_UNKNOWN');
    expect(await codeOf(gatewayRepositories(gateway.em()).soraAccounts.findTokens(id))).toBe(
      'SORA_KEYS_MISSING',
    );
    const write = gatewayRepositories(gateway.em()).soraAccounts.upsert(id, { accessToken: SECRET });
    expect(await codeOf(write)).toBe('SORA_KEYS_MISSING');
    expect(
      await codeOf(gatewayRepositories(gateway.em()).soraAccounts.upsert(id, { accessToken: null })),
    ).toBe('done');
  });

  it('cannot be another column’s or another account’s', async () => {
    const [one, two] = [await mustStore(), await mustStore()];
    const { access_token: text = null } = await storedOf(one);
    await setStored(two, 'access_token', text);
    expect(await refusal(two)).toBe('SORA_TOKEN_UNREADABLE');
    await setStored(one, 'session_token', text);
    expect(await refusal(one)).toBe('SORA_TOKEN_UNREADABLE');
  });

  it.each<[string, (text: string) => string]>([
    ['a byte changed', (text) => text.slice(0, 30) + (text[30] === 'A' ? 'B' : 'A') + text.slice(31)],
    ['an end missing', (text) => text.slice(0, -4)],
    ['nothing behind the key', () => 'sora:v1:k1:'],
    ['a tag that is cut', (text) => text.slice(0, 25)],
    ['a text that is no base64', () => 'sora:v1:k1:***'],
    ['no key', (text) => text.replace(':k1:', '::')],
  ])('is unreadable with %s', async (_what, damage) => {
    const id = await mustStore();
    await setStored(id, 'access_token', damage((await storedOf(id))['access_token'] ?? ''));
    expect(await refusal(id)).toBe('SORA_TOKEN_UNREADABLE');
  });

  it.each<[string, unknown]>([
    ['nothing', null],
    ['no keys', { current: 'k1' }],
    ['an unknown current one', { current: 'k2', keys: SORA_KEYS.keys }],
    ['a passphrase', { current: 'k1', keys: { k1: 'correct horse battery staple 123' } }],
    ['16 bytes', { current: 'k1', keys: { k1: Buffer.alloc(16) } }],
    ['a name with a colon', { current: 'a:b', keys: { 'a:b': Buffer.alloc(32) } }],
    ['a name of a prototype', { current: 'toString', keys: {} }],
  ])('no keys are %s', (_what, soraKeys) => {
    const make = () => gatewayRepositories(gateway.em(), { soraKeys: soraKeys as never });
    expect(make).toThrow(expect.objectContaining({ code: 'VALIDATION' }));
  });
});

describe('what the original has stored', () => {
  it('is read as it is, and encrypted by the call that rotates', async () => {
    const id = await mustStore({});
    await setStored(id, 'access_token', SECRET);
    expect(await read(id)).toEqual([SECRET, null, null]);
    expect((await soraOf(gateway).soraAccounts.countTokensByKey()).get(null)).toBe(1);
    await soraOf(gateway).soraAccounts.reencryptTokens({ batch: 10_000 });
    expect((await storedOf(id))['access_token']).toMatch(/^sora:v1:k1:/);
    expect(await read(id)).toEqual([SECRET, null, null]);
    expect((await soraOf(gateway).soraAccounts.countTokensByKey()).has(null)).toBe(false);
  });
});

describe('a rotation', () => {
  const WORKERS = 6;
  const all = async (keys: SoraKeySet, batch: number): Promise<number> => {
    let [written, after]: [number, string | null] = [0, '0'];
    while (after !== null) {
      const done: { written: number; next: string | null } = await soraOf(
        gateway,
        keys,
      ).soraAccounts.reencryptTokens({ batch, after });
      [written, after] = [written + done.written, done.next];
    }
    return written;
  };

  it(`by ${WORKERS} workers writes each account once, beside programs that store new tokens`, async () => {
    await gateway.rows('delete from sora_accounts');
    const ids = await Promise.all(Array.from({ length: 40 }, () => mustStore()));
    const workers = Array.from({ length: WORKERS }, () => all(ROTATED_KEYS, 3));
    const renewed = ids
      .slice(0, 10)
      .map((id) => soraOf(gateway, ROTATED_KEYS).soraAccounts.upsert(id, { accessToken: 'new' }));
    const [counts] = await Promise.all([Promise.all(workers), Promise.all(renewed)]);
    // What another worker held was passed over; a last one finds it.
    const total = counts.reduce((sum, count) => sum + count, 0) + (await all(ROTATED_KEYS, 100));
    expect(total).toBeGreaterThanOrEqual(30);
    expect(await soraOf(gateway, ROTATED_KEYS).soraAccounts.countTokensByKey()).toEqual(
      new Map([['k2', 120]]),
    );
    for (const [n, id] of ids.entries())
      expect(await read(id, ROTATED_KEYS)).toEqual([n < 10 ? 'new' : SECRET, `${SECRET} 2`, `${SECRET} 3`]);
    expect(await all(ROTATED_KEYS, 100)).toBe(0);
  });

  it('whose session is ended in the middle of a batch has written nothing of it, and goes on', async () => {
    await gateway.rows('delete from sora_accounts');
    const ids = await Promise.all(Array.from({ length: 6 }, () => mustStore()));
    const cut = gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx, { soraKeys: ROTATED_KEYS }).soraAccounts.reencryptTokens({ batch: 4 });
      const [own] = await tx.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      await gateway.rows('select pg_terminate_backend(?, 10000)', [own?.pid]);
    });
    await expect(cut).rejects.toMatchObject({ code: 'DATA.UNAVAILABLE' });
    expect(await soraOf(gateway).soraAccounts.countTokensByKey()).toEqual(new Map([['k1', 18]]));
    expect(await all(ROTATED_KEYS, 4)).toBe(6);
    expect(await read(ids[0] ?? '', ROTATED_KEYS)).toEqual([SECRET, `${SECRET} 2`, `${SECRET} 3`]);
  });

  it('tells of a token that it cannot read, leaves it, and does not stop before it', async () => {
    await gateway.rows('delete from sora_accounts');
    const ids = await Promise.all(Array.from({ length: 3 }, () => mustStore()));
    const [first = ''] = ids.toSorted((a, b) => Number(a) - Number(b));
    await setStored(first, 'session_token', 'sora:v1:k7:AAAA');
    const before = await storedOf(first);
    const found = await soraOf(gateway, ROTATED_KEYS).soraAccounts.reencryptTokens({ batch: 1 });
    expect(found).toEqual({ written: 0, unreadable: [first], next: first });
    expect(await all(ROTATED_KEYS, 1)).toBe(2);
    expect(await storedOf(first)).toEqual(before);
  });
});
