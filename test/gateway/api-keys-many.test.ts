import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { type Gateway, mustCreateApiKey, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway();
});
afterAll(() => gateway.close());

const keys = (): GatewayRepositories['apiKeys'] => gatewayRepositories(gateway.em()).apiKeys;

describe('changing many keys', () => {
  const three = async (): Promise<string[]> => {
    const { em } = gateway;
    const user = await mustCreateUser(em());
    const made = [];
    for (let n = 0; n < 3; n += 1) made.push(await mustCreateApiKey(em(), { userId: user.id }));
    return made.map(({ id }) => id);
  };

  it('reads them in the order of the ids, each once, and writes each its own values, by a statement each', async () => {
    const [a, b, c] = (await three()) as [string, string, string];
    await keys().delete(b);
    gateway.statements();
    const found = await keys().getByIds([c, '0', a, b, c, '987654321']);
    expect(found.map(({ id }) => id)).toEqual([c, a]);
    expect(JSON.stringify(found)).not.toContain(found[0]?.key);
    await keys().updateMany([
      { id: c, name: 'third', ipWhitelist: ['10.0.0.1'] },
      { id: a, name: 'first', ipWhitelist: [] },
    ]);
    expect(gateway.statements()).toHaveLength(2);
    const after = await keys().getByIds([a, c]);
    expect(after).toMatchObject([
      { name: 'first', ipWhitelist: null },
      { name: 'third', ipWhitelist: ['10.0.0.1'] },
    ]);
    for (const { updatedAt, createdAt } of after) expect(+updatedAt).toBeGreaterThan(+createdAt);
    expect(await keys().getByIds([])).toEqual([]);
  });

  it('is all of them or none', async () => {
    const [a, b] = (await three()) as [string, string];
    await keys().delete(b);
    const changes = [a, b].map((id) => ({ id, name: 'never' }));
    const error: unknown = await keys()
      .updateMany(changes)
      .catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'API_KEY_NOT_FOUND', cause: { keys: [b] } });
    expect(await keys().findById(a)).not.toMatchObject({ name: 'never' });
  });

  it('refuses a group, which a key changes by itself, and a bad value of any of them', async () => {
    const [a, b] = (await three()) as [string, string];
    const grouped = [{ id: a, name: 'x', groupId: '1' }];
    await expect(keys().updateMany(grouped)).rejects.toMatchObject({ field: 'changes[0].groupId' });
    const long = [
      { id: a, name: 'x' },
      { id: b, name: 'x'.repeat(101) },
    ];
    await expect(keys().updateMany(long)).rejects.toMatchObject({ field: 'changes[1].name' });
  });
});
