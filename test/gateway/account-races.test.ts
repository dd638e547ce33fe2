import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type GatewayRepositories, gatewayRepositories } from 'tombstone/gateway';
import { mustCreateAccount } from '../support/gateway-accounts.ts';
import { mustCreateProxy, untilWaiting } from '../support/gateway-proxies.ts';
import { type Gateway, mustCreateGroup, openGateway } from '../support/gateway.ts';

const CALLERS = 32;

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: CALLERS + 8 } });
});
afterAll(() => gateway.close());

const accounts = (): GatewayRepositories['accounts'] => gatewayRepositories(gateway.em()).accounts;
const all = <T>(work: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, n) => work(n)));
const codeOf = async (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'done',
    (error: { code?: string }) => error.code ?? error,
  );
const newAccount = async (): Promise<string> => (await mustCreateAccount(gateway.em())).id;
const keys = Array.from({ length: CALLERS }, (_, n) => `key ${n}`);

/** Starts the callers while the row is locked, so that all of them wait and then go at once. */
async function whileLocked<T>(id: string, work: (n: number) => Promise<T>): Promise<T[]> {
  let results: Promise<T[]> | undefined;
  await gateway.em().transactional(async (tx) => {
    await tx.execute('select from accounts where id = ? and deleted_at is null for update', [id]);
    results = all(work);
    await untilWaiting(gateway, CALLERS);
  });
  return results ?? [];
}

describe('an account that somebody deletes as soon as it is seen', () => {
  /** Deletes every live account again and again until `work` has ended. */
  async function whileDeleting<T>(work: () => Promise<T>): Promise<T> {
    const done = new AbortController();
    const deleting = (async () => {
      while (!done.signal.aborted)
        await gateway.rows(
          `update accounts set deleted_at = now() where name = 'brief' and deleted_at is null`,
        );
    })();
    try {
      return await work();
    } finally {
      done.abort();
      await deleting;
    }
  }
  const brief = { name: 'brief', platform: 'sora', type: 'oauth' } as const;

  it('is answered by the call that has made it', async () => {
    const codes = await whileDeleting(() =>
      Promise.all(Array.from({ length: 8 * CALLERS }, () => codeOf(accounts().create(brief)))),
    );
    expect(codes).toEqual(codes.map(() => 'done'));
  });

  it('is answered by the call that has changed it', async () => {
    const ids = await all(newAccount);
    const codes = await whileDeleting(() =>
      Promise.all(ids.map((id) => codeOf(accounts().update({ id, name: 'brief', notes: 'changed' })))),
    );
    expect(codes).toEqual(codes.map(() => 'done'));
  });
});

it('F29: an account is bound to many groups by as many statements as to one', async () => {
  const id = await newAccount();
  const groups = await all(async () => (await mustCreateGroup(gateway.em())).id);
  const statementsFor = async (ids: readonly string[]): Promise<number> => {
    gateway.statements();
    await accounts().bindGroups(id, ids);
    return gateway.statements().length;
  };
  const [one, many] = [await statementsFor(groups.slice(0, 1)), await statementsFor(groups)];
  expect(many).toBe(one);
  expect((await accounts().getById(id)).groupIds).toEqual(groups);
});

describe(`${CALLERS} patches of different keys of one account`, () => {
  it('lose all but one where each writes back what it has read', async () => {
    const id = await newAccount();
    const seen = (await accounts().getById(id)).extra;
    await whileLocked(id, (n) =>
      gateway.rows('update accounts set extra = ?::jsonb where id = ?', [
        JSON.stringify({ ...seen, [`key ${n}`]: n }),
        id,
      ]),
    );
    expect(Object.keys((await accounts().getById(id)).extra)).toHaveLength(1);
  });

  it('all survive, in extra, in credentials and in the limits of models', async () => {
    const id = await newAccount();
    const reset = new Date('2031-01-01T00:00:00Z');
    await whileLocked(id, async (n) => {
      await accounts().updateExtra(id, { [`key ${n}`]: n });
      await accounts().update({ id, credentials: { [`key ${n}`]: n } });
      await accounts().setModelRateLimit(id, `key ${n}`, reset);
    });
    const { extra, credentials } = await accounts().getById(id);
    expect(Object.keys(extra).toSorted()).toEqual([...keys, 'model_rate_limits'].toSorted());
    expect(Object.keys(credentials).toSorted()).toEqual(keys.toSorted());
    expect(Object.keys(extra['model_rate_limits'] as object).toSorted()).toEqual(keys.toSorted());
  });
});

describe(`${CALLERS} calls of bindGroups for one account`, () => {
  const groupsOf = async (n: number): Promise<string[]> =>
    Promise.all(Array.from({ length: n }, async () => (await mustCreateGroup(gateway.em())).id));
  const bound = async (id: string): Promise<string[]> =>
    (await accounts().getById(id)).accountGroups.map((binding) => binding.groupId);

  it('mix without the lock of the account', async () => {
    const [id, groups] = [await newAccount(), await groupsOf(CALLERS)];
    // Every caller has deleted what it saw before any inserts.
    let ready = 0;
    let go = (): void => {};
    const going = new Promise<void>((resolve) => (go = resolve));
    await all((n) =>
      gateway.em().transactional(async (tx) => {
        await tx.execute('delete from account_groups where account_id = ?', [id]);
        if ((ready += 1) === CALLERS) go();
        await going;
        await tx.execute('insert into account_groups (account_id, group_id) values (?, ?)', [id, groups[n]]);
      }),
    );
    expect(await bound(id)).toHaveLength(CALLERS);
  });

  it('follow each other: the set of one remains, and each is told of once', async () => {
    const [id, groups] = [await newAccount(), await groupsOf(CALLERS + 1)];
    const sets = groups.slice(0, CALLERS).map((group, n) => [group, groups[n + 1] ?? '']);
    await whileLocked(id, (n) =>
      accounts().bindGroups(id, n % 2 ? (sets[n] ?? []) : (sets[n] ?? []).toReversed()),
    );
    const left = await bound(id);
    expect(sets.map((set) => set.toSorted())).toContainEqual(left.toSorted());
    const events = `select from scheduler_outbox where account_id = ? and event_type = 'account_groups_changed'`;
    expect(await gateway.rows(events, [id])).toHaveLength(CALLERS);
  });

  it('do not deadlock with the deletion of their groups, and bind no deleted one', async () => {
    const [id, groups] = [await newAccount(), await groupsOf(8)];
    const codes = await all((n) =>
      codeOf(
        n % 4 === 3
          ? gatewayRepositories(gateway.em()).groups.deleteCascade(groups[n % 8] ?? '')
          : accounts().bindGroups(id, n % 2 ? groups : groups.toReversed()),
      ),
    );
    expect(['done', 'GROUP_NOT_FOUND']).toEqual(expect.arrayContaining([...new Set(codes)]));
    const { accountGroups, groupIds } = await accounts().getById(id);
    expect(accountGroups.map((binding) => binding.groupId)).toEqual(groupIds);
  });
});

it(`${CALLERS} pauses of one account end with the longest`, async () => {
  const id = await newAccount();
  const until = (n: number): Date => new Date(Date.UTC(2031, 0, 1 + ((n * 7) % CALLERS)));
  const answers = await whileLocked(id, (n) => accounts().setTempUnschedulable(id, until(n), `reason ${n}`));
  const longest = Array.from({ length: CALLERS }, (_, n) => n).find((n) => (n * 7) % CALLERS === CALLERS - 1);
  expect(await accounts().getById(id)).toMatchObject({
    tempUnschedulableUntil: new Date(Date.UTC(2031, 0, CALLERS)),
    tempUnschedulableReason: `reason ${longest}`,
  });
  const events = await gateway.rows('select from scheduler_outbox where account_id = ?', [id]);
  expect(events).toHaveLength(1 + answers.filter(Boolean).length);
});

describe(`${CALLERS} flushes of last use`, () => {
  const at = (n: number): Date => new Date(Date.UTC(2031, 0, 1, 0, 0, (n * 7) % CALLERS));

  it('may end with an earlier instant where they only write', async () => {
    const id = await newAccount();
    const write = (time: Date): Promise<unknown> =>
      gateway.rows('update accounts set last_used_at = ? where id = ?', [time.toISOString(), id]);
    await write(at(9));
    await write(at(0));
    expect((await accounts().getById(id)).lastUsedAt).toEqual(at(0));
  });

  it('end with the latest, in any order and without a deadlock', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, newAccount));
    await all((n) =>
      accounts().batchUpdateLastUsed(
        new Map((n % 2 ? ids : ids.toReversed()).map((id) => [id, at(n)] as const)),
      ),
    );
    const latest = new Date(Date.UTC(2031, 0, 1, 0, 0, CALLERS - 1));
    const found = await accounts().getByIds(ids);
    expect(found.map((account) => account.lastUsedAt)).toEqual(ids.map(() => latest));
  });

  it('and bulk updates and pauses lock in one order', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, newAccount));
    const codes = await all((n) => {
      const order = n % 2 ? ids : ids.toReversed();
      return codeOf(
        n % 3 === 0
          ? accounts().bulkUpdate(order, { extra: { [`k${n}`]: n } })
          : accounts().batchUpdateLastUsed(new Map(order.map((id) => [id, at(n)] as const))),
      );
    });
    expect(new Set(codes)).toEqual(new Set(['done']));
  });
});

describe('an account that is bound while it is deleted', () => {
  it('F13: keeps a binding where nobody locks it', async () => {
    const [id, group] = [await newAccount(), (await mustCreateGroup(gateway.em())).id];
    await gateway.em().transactional(async (tx) => {
      await tx.execute('select from accounts where id = ? and deleted_at is null', [id]);
      await accounts().delete(id);
      await tx.execute('insert into account_groups (account_id, group_id) values (?, ?)', [id, group]);
    });
    expect(await gateway.rows('select from account_groups where account_id = ?', [id])).toHaveLength(1);
  });

  it('has none afterwards, whoever comes first', async () => {
    const results = new Set<unknown>();
    for (let round = 0; round < 6; round += 1) {
      const id = await newAccount();
      const groups = await Promise.all([1, 2].map(async () => (await mustCreateGroup(gateway.em())).id));
      const codes = await whileLocked(id, (n) =>
        codeOf(
          n === round * 6
            ? accounts().delete(id)
            : n % 2
              ? accounts().bindGroups(id, groups)
              : accounts().addToGroup(id, groups[0] ?? '', n),
        ),
      );
      for (const code of codes) results.add(code);
      expect(codes[round * 6]).toBe('done');
      expect(await gateway.rows('select from account_groups where account_id = ?', [id])).toEqual([]);
    }
    expect(['done', 'ACCOUNT_NOT_FOUND', 'ACCOUNT_GROUP_EXISTS']).toEqual(
      expect.arrayContaining([...results]),
    );
    expect(results).toContain('ACCOUNT_NOT_FOUND');
  });

  it('is not found by a change that waited', async () => {
    const id = await newAccount();
    let changes: Promise<unknown[]> | undefined;
    await gateway.em().transactional(async (tx) => {
      await gatewayRepositories(tx).accounts.delete(id);
      changes = Promise.all([
        codeOf(accounts().update({ id, name: 'lost' })),
        codeOf(accounts().updateExtra(id, { a: 1 })),
        accounts().setError(id, 'lost'),
      ]);
      await untilWaiting(gateway, 3);
    });
    expect(await changes).toEqual(['ACCOUNT_NOT_FOUND', 'ACCOUNT_NOT_FOUND', false]);
  });
});

it(`F24: a proxy that ${CALLERS} accounts are given while it is deleted is kept, or nobody has it`, async () => {
  const ids = await Promise.all(Array.from({ length: CALLERS }, newAccount));
  for (let round = 0; round < 4; round += 1) {
    const proxy = (await mustCreateProxy(gateway.em())).id;
    const codes = await all((n) =>
      codeOf(
        n === round * 9
          ? gatewayRepositories(gateway.em()).proxies.delete(proxy)
          : accounts().update({ id: ids[n] ?? '', proxyId: proxy }),
      ),
    );
    const isDeleted = codes[round * 9] === 'done';
    const users = await gateway.rows('select from accounts where proxy_id = ?', [proxy]);
    expect([isDeleted, users.length === 0]).toEqual([isDeleted, isDeleted]);
  }
});
