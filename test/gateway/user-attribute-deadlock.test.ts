import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { cloneTestDatabase } from '../support/database.ts';
import { mustCreateDefinition } from '../support/gateway-attributes.ts';
import { untilWaiting } from '../support/gateway-proxies.ts';
import { type Gateway, mustCreateUser, openGateway } from '../support/gateway.ts';

let gateway: Gateway;
beforeAll(async () => {
  // The deletion looks for a cycle late enough for the caller to have closed it, and the caller never does.
  const { url } = await cloneTestDatabase();
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`alter database "${new URL(url).pathname.slice(1)}" set deadlock_timeout = '4s'`);
  await client.end();
  gateway = await openGateway({ url, pool: { min: 0, max: 8 } });
});
afterAll(() => gateway.close());

const stored = async (attribute: string): Promise<number> =>
  (await gateway.rows('select from user_attribute_values where attribute_id = ?', [attribute])).length;

type Deletion = (of: GatewayRepositories, id: string) => Promise<unknown>;

/**
 * A caller's transaction replaces the answers of a user: it removes them, and so locks them, and then asks for the definition,
 * which the deletion has locked by then. The deletion is the one that gives way.
 */
async function replacedWhile(deletion: Deletion): Promise<{ outcome: unknown; left: number }> {
  const [user, definition] = [await mustCreateUser(gateway.em()), await mustCreateDefinition(gateway.em())];
  const answers = [{ attributeId: definition.id, value: 'x' }];
  await gatewayRepositories(gateway.em()).attributeValues.upsertBatch(user.id, answers);
  let deleting: Promise<unknown> = Promise.resolve();
  await gateway.em().transactional(async (tx) => {
    await tx.execute(`set local deadlock_timeout = '60s'`);
    const { attributeValues } = gatewayRepositories(tx);
    await attributeValues.deleteByUserId(user.id);
    deleting = deletion(gatewayRepositories(gateway.em()), definition.id).then(
      () => 'done',
      (error: { code?: string }) => error.code,
    );
    await untilWaiting(gateway, 1);
    await attributeValues.upsertBatch(user.id, answers);
  });
  return { outcome: await deleting, left: await stored(definition.id) };
}

it('a definition is deleted while answers to it are replaced: done again after a deadlock, with the new answers', async () => {
  const replaced = await replacedWhile((of, id) => of.attributeDefinitions.delete(id));
  expect(replaced).toEqual({ outcome: 'done', left: 0 });
});

it('would give the deadlock to the caller without another attempt, as a control', async () => {
  const once: Deletion = (_of, id) =>
    gateway.em().transactional((tx) => gatewayRepositories(tx).attributeDefinitions.delete(id));
  expect(await replacedWhile(once)).toEqual({ outcome: 'DATA.CONCURRENCY', left: 1 });
});
