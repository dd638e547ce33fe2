import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { gatewayRepositories, type SoraSlotLease, type SoraSlots } from 'tombstone/gateway';
import { lockSoraSlots, takeSoraSlots } from '../../src/gateway/sora/sora-slots-statements.ts';
import { untilWaiting } from '../support/gateway-groups.ts';
import { codeOf, mustCreateSoraAccount, soraOf } from '../support/gateway-sora.ts';
import { type Gateway, openGateway } from '../support/gateway.ts';

const WORKERS = 64;
const HOUR = 3_600_000;
const HOLDER = { holder: 'worker', leaseMs: HOUR };

let gateway: Gateway;
beforeAll(async () => {
  gateway = await openGateway({ pool: { min: 0, max: WORKERS + 8 } });
});
afterAll(() => gateway.close());

const slots = () => soraOf(gateway).soraSlots;
const acquire = (id: string, wanted: SoraSlots) => slots().acquire(id, wanted, HOLDER);
async function mustAcquire(id: string, wanted: SoraSlots): Promise<SoraSlotLease> {
  const lease = await acquire(id, wanted);
  if (!lease) throw new Error('no slot');
  return lease;
}
async function mustLimit(imageConcurrency: number, videoConcurrency: number): Promise<string> {
  const id = await mustCreateSoraAccount(gateway);
  await soraOf(gateway).soraAccounts.upsert(id, { imageConcurrency, videoConcurrency });
  return id;
}
const each = <T>(work: (caller: number) => Promise<T>, callers = WORKERS): Promise<T[]> =>
  Promise.all(Array.from({ length: callers }, (_, caller) => work(caller)));
const endLeases = (id: string) =>
  gateway.rows(`update sora_slots set lease_until = now() - interval '1 second' where account_id = ?`, [id]);

it(`has ${WORKERS} connections at once`, async () => {
  let arrived = 0;
  let open = (): void => {};
  const all = new Promise<void>((done) => (open = done));
  const pids = await each(() =>
    gateway.em().transactional(async (tx) => {
      const [row] = await tx.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      if ((arrived += 1) === WORKERS) open();
      await all;
      return row?.pid;
    }),
  );
  expect(new Set(pids).size).toBe(WORKERS);
});

describe('slots', () => {
  it('are had all, or not at all', async () => {
    const id = await mustLimit(3, 1);
    const lease = await mustAcquire(id, { image: 2, video: 1 });
    expect(lease).toMatchObject({ accountId: id, images: 2, videos: 1, leaseUntil: expect.any(Date) });
    // A picture is free, a video is not.
    expect(await acquire(id, { image: 1, video: 1 })).toBeNull();
    expect(await slots().inUse(id)).toEqual({ image: 2, video: 1 });
    expect(await acquire(id, { image: 1 })).toMatchObject({ images: 1, videos: 0 });
    expect(await acquire(id, { image: 1 })).toBeNull();
    expect(await slots().release(lease)).toBe(true);
    expect(await slots().inUse(id)).toEqual({ image: 1, video: 0 });
  });

  it('take two statements in one transaction, and one to release', async () => {
    const id = await mustLimit(1, 1);
    gateway.statements();
    const lease = await mustAcquire(id, { image: 1 });
    expect(gateway.statements()).toHaveLength(2);
    await slots().release(lease);
    expect(gateway.statements()).toHaveLength(1);
  });

  it('are released once, however often they are', async () => {
    const id = await mustLimit(2, 0);
    const [one] = [await mustAcquire(id, { image: 1 }), await mustAcquire(id, { image: 1 })];
    const released = await each(() => slots().release(one), 8);
    expect(released.filter(Boolean)).toHaveLength(1);
    expect(await slots().inUse(id)).toEqual({ image: 1, video: 0 });
  });

  it('have the limits of the account: below 0 is any number, 0 and a medium that is switched off are none', async () => {
    const id = await mustLimit(-1, 0);
    expect([await acquire(id, { image: 1000 }), await acquire(id, { video: 1 })]).toMatchObject([
      { images: 1000 },
      null,
    ]);
    await soraOf(gateway).soraAccounts.upsert(id, { imageEnabled: false, videoConcurrency: 1 });
    expect([await acquire(id, { image: 1 }), await acquire(id, { video: 1 })]).toMatchObject([
      null,
      { videos: 1 },
    ]);
    expect(await codeOf(acquire(id, {}))).toBe('VALIDATION');
    expect(await codeOf(acquire('987654321', { image: 1 }))).toBe('ACCOUNT_NOT_FOUND');
    expect(await codeOf(acquire(await mustCreateSoraAccount(gateway), { image: 1 }))).toBe(
      'ACCOUNT_NOT_FOUND',
    );
  });

  it('of a holder that is gone are another’s when the lease has ended, and the late one is told', async () => {
    const id = await mustLimit(1, 0);
    const dead = await mustAcquire(id, { image: 1 });
    expect(await acquire(id, { image: 1 })).toBeNull();
    await endLeases(id);
    expect(await slots().inUse(id)).toEqual({ image: 0, video: 0 });
    const next = await mustAcquire(id, { image: 1 });
    expect(await gateway.rows('select lease_id from sora_slots where account_id = ?', [id])).toEqual([
      { lease_id: next.leaseId },
    ]);
    expect([await slots().extend(dead, HOUR), await slots().release(dead)]).toEqual([null, false]);
    expect(await slots().extend(next, HOUR)).toBeInstanceOf(Date);
    expect(await slots().inUse(id)).toEqual({ image: 1, video: 0 });
  });

  it('of a session that is killed before it commits are free at once', async () => {
    const id = await mustLimit(1, 0);
    const cut = gateway.em().transactional(async (tx) => {
      expect(await gatewayRepositories(tx).soraSlots.acquire(id, { image: 1 }, HOLDER)).not.toBeNull();
      const [own] = await tx.execute<{ pid: number }[]>('select pg_backend_pid() as pid');
      await gateway.rows('select pg_terminate_backend(?)', [own?.pid]);
    });
    await expect(cut).rejects.toMatchObject({ code: 'DATA.UNAVAILABLE' });
    expect(await acquire(id, { image: 1 })).not.toBeNull();
  });

  it('are not counted in a transaction that cannot see what others have taken', async () => {
    const id = await mustLimit(1, 0);
    const attempt = gateway.em().transactional(
      async (tx) => {
        await tx.execute('select 1');
        await mustAcquire(id, { image: 1 });
        return gatewayRepositories(tx).soraSlots.acquire(id, { image: 1 }, HOLDER);
      },
      { isolationLevel: 'repeatable read' as never },
    );
    expect(await codeOf(attempt)).toBe('VALIDATION');
  });
});

describe('withSlots', () => {
  it('releases whatever becomes of the work', async () => {
    const id = await mustLimit(1, 1);
    const both = { image: 1, video: 1 };
    const during: unknown[] = [];
    const work = async (): Promise<string> => {
      during.push(
        await slots().inUse(id),
        await slots().withSlots(id, { image: 1 }, HOLDER, async () => 'never'),
      );
      return 'made';
    };
    expect(await slots().withSlots(id, both, HOLDER, work)).toEqual({ result: 'made' });
    expect(during).toEqual([both, null]);
    expect(await slots().inUse(id)).toEqual({ image: 0, video: 0 });

    const failing = slots().withSlots(id, both, HOLDER, () => Promise.reject(new Error('upstream')));
    await expect(failing).rejects.toThrow('upstream');
    const throwing = slots().withSlots(id, both, HOLDER, () => {
      throw new Error('at once');
    });
    await expect(throwing).rejects.toThrow('at once');
    expect(await slots().inUse(id)).toEqual({ image: 0, video: 0 });
  });

  it('does not hide the work’s error behind a release that fails', async () => {
    const id = await mustLimit(1, 0);
    await gateway.rows(
      `create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$`,
    );
    await gateway.rows(
      'create trigger refuse before delete on sora_slots for each row execute function refuse()',
    );
    const failing = () => Promise.reject(new Error('upstream'));
    const broken = slots().withSlots(id, { image: 1 }, HOLDER, failing);
    await expect(broken).rejects.toThrow('upstream');
    const made = await slots().withSlots(await mustLimit(1, 0), { image: 1 }, HOLDER, async () => 'made');
    expect(made).toEqual({ result: 'made' });
    await gateway.rows('drop trigger refuse on sora_slots');
    await endLeases(id);
    expect(await acquire(id, { image: 1 })).not.toBeNull();
  });
});

/** What really goes on at an account, counted beside the table by those who do it. */
class Meter {
  most = 0;
  #now = 0;

  enter(n: number): void {
    this.most = Math.max(this.most, (this.#now += n));
  }

  leave(n: number): void {
    this.#now -= n;
  }
}

describe(`${WORKERS} workers`, () => {
  it('with the lock off have more slots than there are, as a control', async () => {
    const id = await mustLimit(3, 3);
    let arrived = 0;
    let open = (): void => {};
    const all = new Promise<void>((done) => (open = done));
    const request = { accountId: id, images: 1, videos: 0, holder: 'h', leaseMs: HOUR };
    // Everybody counts before anybody commits: what the lock is for.
    const leases = await each(() =>
      gateway.em().transactional(async (tx) => {
        const lease = await takeSoraSlots(tx, request);
        if ((arrived += 1) === WORKERS) open();
        await all;
        return lease;
      }),
    );
    expect(leases.filter((lease) => lease !== null)).toHaveLength(WORKERS);
    expect((await slots().inUse(id)).image).toBe(WORKERS);
  });

  it('with a lock and a count in one statement would have them too, as another control', async () => {
    const id = await mustLimit(1, 0);
    const request = { accountId: id, images: 1, videos: 0, holder: 'h', leaseMs: HOUR };
    let second: Promise<boolean> | undefined;
    await gateway.em().transactional(async (tx) => {
      await lockSoraSlots(tx, id);
      await takeSoraSlots(tx, request);
      // Its snapshot is from before the commit, and the row that it waits for has not changed.
      const atOnce = `with locked as (select account_id from sora_accounts where account_id = ? for no key update)
        select (select count(*) from sora_slots s where s.account_id = l.account_id)::int as used from locked l`;
      second = gateway.rows<{ used: number }>(atOnce, [id]).then(([row]) => row?.used === 0);
      await untilWaiting(gateway, 1);
    });
    expect(await second).toBe(true);
  });

  it('never have more than the limit, and none that is free is refused for ever', async () => {
    const LIMITS = { image: 5, video: 3 };
    const id = await mustLimit(LIMITS.image, LIMITS.video);
    const meters = { image: new Meter(), video: new Meter() };
    const watched: number[] = [];
    const workers = { done: false };
    // Nobody gives a slot back until somebody was refused while there were several of each, so both limits are at work.
    let refuse = (): void => {};
    const refused = new Promise<void>((all) => (refuse = all));
    const watch = (async () => {
      while (!workers.done) {
        const sql = `select coalesce(sum(images), 0)::int as image, coalesce(sum(videos), 0)::int as video from sora_slots where account_id = ?`;
        const [row] = await gateway.rows<{ image: number; video: number }>(sql, [id]);
        watched.push(Math.max((row?.image ?? 0) - LIMITS.image, (row?.video ?? 0) - LIMITS.video));
      }
    })();
    await each(async (caller) => {
      const wanted = [{ image: 1 }, { video: 1 }, { image: 2, video: 1 }][caller % 3] ?? {};
      const { image = 0, video = 0 } = wanted as SoraSlots;
      for (let made = 0; made < 3;) {
        const work = async (): Promise<void> => {
          meters.image.enter(image);
          meters.video.enter(video);
          await refused;
          await gateway.rows('select 1 as one');
          meters.image.leave(image);
          meters.video.leave(video);
        };
        if (await slots().withSlots(id, wanted, HOLDER, work)) made += 1;
        else if (meters.image.most > 1 && meters.video.most > 1) refuse();
      }
    });
    workers.done = true;
    await watch;
    expect(
      [meters.image.most, meters.video.most].map((most, n) => most <= [LIMITS.image, LIMITS.video][n]!),
    ).toEqual([true, true]);
    expect([meters.image.most > 1, meters.video.most > 1]).toEqual([true, true]);
    expect([Math.max(...watched) <= 0, watched.length > 5]).toEqual([true, true]);
    expect(await slots().inUse(id)).toEqual({ image: 0, video: 0 });
  });

  it('that come when leases end, and while their holders extend them, share what is free', async () => {
    const id = await mustLimit(4, 0);
    const old = await each(() => mustAcquire(id, { image: 1 }), 4);
    await gateway.rows('update sora_slots set lease_until = clock_timestamp() where account_id = ?', [id]);
    const [extended, taken] = await Promise.all([
      Promise.all(old.map((lease) => slots().extend(lease, HOUR))),
      each(() => acquire(id, { image: 1 })),
    ]);
    const count = [...extended, ...taken].filter((lease) => lease !== null).length;
    expect(count).toBe(4);
    expect((await slots().inUse(id)).image).toBe(4);
  });
});
