import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type DataEntityManager } from 'tombstone';
import { Account, type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { lockLiveProxy } from '../../src/gateway/proxies/lock-proxy.ts';
import { insertAccount } from '../support/gateway-rows.ts';
import { mustCreateProxy, untilWaiting } from '../support/gateway-proxies.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const proxies = (): GatewayRepositories['proxies'] => gatewayRepositories(gateway.em()).proxies;
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const usersOf = (id: string) => gateway.em().count(Account, { proxy: id });

/** What attaching does before its insert: ours, and the original's look without a lock. */
const locked = (tx: DataEntityManager, id: string) => lockLiveProxy(tx, id);
const looked = async (tx: DataEntityManager, id: string): Promise<void> => {
  const rows = await tx.execute<unknown[]>('select from proxies where id = ? and deleted_at is null', [id]);
  if (rows.length === 0) throw new Error('not found');
};

/** What deleting does in the original: it counts, and then it marks. */
async function originalDelete(id: string): Promise<void> {
  const em = gateway.em();
  const count = 'select count(*)::int as count from accounts where proxy_id = ? and deleted_at is null';
  const [row] = await em.execute<{ count: number }[]>(count, [id]);
  if (row?.count) throw new Error('in use');
  await em.execute('update proxies set deleted_at = now() where id = ? and deleted_at is null', [id]);
}

function signal(): { given: Promise<void>; give: () => void } {
  let give = () => {};
  const given = new Promise<void>((resolve) => (give = resolve));
  return { given, give: () => give() };
}

/** Attachers that have all made sure of the proxy, and insert only when `deletion` has got as far as it can. */
async function race(
  id: string,
  ensure: (tx: DataEntityManager, id: string) => Promise<void>,
  deletion: () => Promise<unknown>,
  isBlocked: boolean,
): Promise<{ deleted: unknown; attached: unknown[] }> {
  let ready = 0;
  const [go, all] = [signal(), signal()];
  const attachers = Array.from({ length: CALLERS }, () =>
    gateway.em().transactional(async (tx) => {
      await ensure(tx, id);
      if ((ready += 1) === CALLERS) all.give();
      await go.given;
      await insertAccount(tx, { proxy_id: id });
    }),
  );
  await all.given;
  const deleted = codeOf(deletion());
  await (isBlocked ? untilWaiting(gateway, 1) : deleted);
  go.give();
  return { attached: await Promise.all(attachers.map(codeOf)), deleted: await deleted };
}

describe(`${CALLERS} accounts that are being attached to a proxy while it is deleted`, () => {
  const done: unknown[] = Array(CALLERS).fill('done');

  it('F24: without the locks end with a deleted proxy, which is the original’s fault', async () => {
    const { id } = await mustCreateProxy(gateway.em());
    expect(await race(id, looked, () => originalDelete(id), false)).toEqual({
      deleted: 'done',
      attached: done,
    });
    expect([await proxies().findById(id), await usersOf(id)]).toEqual([null, CALLERS]);
  });

  it('F24: without the attachers’ lock end the same with our deletion', async () => {
    const { id } = await mustCreateProxy(gateway.em());
    expect(await race(id, looked, () => proxies().delete(id), false)).toEqual({
      deleted: 'done',
      attached: done,
    });
    expect([await proxies().findById(id), await usersOf(id)]).toEqual([null, CALLERS]);
  });

  it('F24: with both locks keep it: the deletion waits, and then says PROXY_IN_USE', async () => {
    const { id } = await mustCreateProxy(gateway.em());
    const result = await race(id, locked, () => proxies().delete(id), true);
    expect(result).toEqual({ deleted: 'PROXY_IN_USE', attached: done });
    expect([(await proxies().findById(id))?.id, await usersOf(id)]).toEqual([id, CALLERS]);
  });

  it('F24: are refused when they waited for the deletion', async () => {
    const { id } = await mustCreateProxy(gateway.em());
    let attaching: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).proxies.delete(id);
      const attach = () =>
        gateway.em().transactional(async (other) => {
          await lockLiveProxy(other, id);
          await insertAccount(other, { proxy_id: id });
        });
      attaching = Promise.all(Array.from({ length: CALLERS }, () => codeOf(attach())));
      await untilWaiting(gateway, CALLERS);
    });
    expect(await attaching).toEqual(Array(CALLERS).fill('PROXY_NOT_FOUND'));
    expect(await usersOf(id)).toBe(0);
  });

  it('F24: in any order leave no live account at a deleted proxy', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { id } = await mustCreateProxy(gateway.em());
      const attach = () =>
        gateway.em().transactional(async (tx) => {
          await lockLiveProxy(tx, id);
          await insertAccount(tx, { proxy_id: id });
        });
      const results = await Promise.all(
        Array.from({ length: CALLERS }, (_, n) => codeOf(n === round * 6 ? proxies().delete(id) : attach())),
      );
      const isDeleted = (await proxies().findById(id)) === null;
      expect(results[round * 6]).toBe(isDeleted ? 'done' : 'PROXY_IN_USE');
      expect((await usersOf(id)) === 0).toBe(isDeleted);
      expect(new Set(results)).toEqual(
        new Set(isDeleted ? ['done', 'PROXY_NOT_FOUND'] : ['done', 'PROXY_IN_USE']),
      );
    }
  });
});

it('F13: an account is not attached to a deleted proxy, which satisfies the foreign key', async () => {
  const { id } = await mustCreateProxy(gateway.em());
  await proxies().delete(id);
  expect(await codeOf(insertAccount(gateway.em(), { proxy_id: id }))).toBe('done');
  const guarded = gateway.em().transactional((tx) => lockLiveProxy(tx, id));
  expect(await codeOf(guarded)).toBe('PROXY_NOT_FOUND');
  expect(await codeOf(gateway.em().transactional((tx) => lockLiveProxy(tx, '987654321')))).toBe(
    'PROXY_NOT_FOUND',
  );
});

it('an update that waited for the deletion is PROXY_NOT_FOUND', async () => {
  const { id } = await mustCreateProxy(gateway.em());
  let update: Promise<unknown> | undefined;
  await gateway.em().transactional(async (tx) => {
    await gatewayRepositories(tx).proxies.delete(id);
    update = codeOf(proxies().update({ id, name: 'lost' }));
    await untilWaiting(gateway, 1);
  });
  expect(await update).toBe('PROXY_NOT_FOUND');
  expect(await gateway.rows(`select from proxies where name = 'lost'`)).toEqual([]);
});
