import { setTimeout as sleep } from 'node:timers/promises';
import { MikroORM } from '@mikro-orm/postgresql';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { defineDataConfig, deletionJournal } from 'tombstone';
import { deleteRows, erase, erasuresOf, placeHold, releaseHold, restore } from 'tombstone/deletion';
import { listenToStatements } from '../../src/kit/orm/index.ts';
import { addBackstop, connect, stateOf } from '../kit/fixtures/backstop.ts';
import { databaseWith } from './fixtures/music.ts';
import { openPeople, type People } from './fixtures/open-people.ts';
import { Address, Consent, EMPTY, people, Person, TABLES } from './fixtures/people.ts';

let db: People;
let client: Client;
let other: Client;
beforeAll(async () => {
  db = await openPeople();
  [client, other] = [await connect(db.url), await connect(db.url)];
});
afterAll(async () => {
  await client.end();
  await other.end();
  await db.close();
});
beforeEach(async () => {
  await other.query('rollback');
  await client.query(`set lock_timeout = '10s'; ${EMPTY}`);
});

const forked = () => db.orm.em.fork();
const remove = { mode: 'remove', reason: 'request 12' } as const;
const scrub = { mode: { scrub: { phone: null } }, reason: 'request 12' } as const;

/** Ends a transaction whatever became of the work: an open one would block the next test. */
async function thenEnd(work: Promise<unknown>, end: () => Promise<unknown>): Promise<void> {
  try {
    await work;
  } finally {
    await end();
  }
}

async function untilWaiting(count = 1): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const { rows } = await client.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    if (rows.length >= count) return;
    await sleep(10);
  }
  throw new Error('Nobody waits for a lock.');
}

async function plant(): Promise<{ ada: Person; address: Address }> {
  const em = forked();
  const ada = em.create(Person, { name: 'ada', email: 'ada@x' } as never);
  const address = em.create(Address, { street: 'street', person: ada });
  em.create(Consent, { person: ada, topic: 'mail', words: 'yes' });
  await em.flush();
  return { ada, address };
}

async function everything(own = client): Promise<string> {
  const tables = [
    'persons',
    'addresses',
    'consents',
    'deletion_batches',
    'deletion_entries',
    'deletion_erasures',
  ];
  const all = tables.map((table) => `(select json_agg(t order by t::text) from ${table} t)`);
  return JSON.stringify(
    (await own.query(`select json_build_array(${all.join(', ')}) as world`)).rows[0].world,
  );
}

describe('a hold', () => {
  it('on the row, on its table, on what is part of it, and on what it is part of, keeps everything', async () => {
    const { ada, address } = await plant();
    const cases = [
      () => placeHold(forked(), Person, { key: ada.id, reason: 'matter' }),
      () => placeHold(forked(), Person, { all: true, reason: 'matter' }),
      () => placeHold(forked(), Address, { key: address.id, reason: 'matter' }),
      () => placeHold(forked(), Address, { all: true, reason: 'matter' }),
    ];
    for (const [index, place] of cases.entries()) {
      const hold = await place();
      const before = await everything();
      await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({
        code: 'ERASURE.HELD',
        status: 409,
        held: [{ table: index < 2 ? 'public.persons' : 'public.addresses', rows: 1 }],
      });
      // What is scrubbed leaves the rows that are part of it alone.
      if (index < 2) {
        await expect(erase(forked(), Person, ada.id, scrub)).rejects.toMatchObject({ code: 'ERASURE.HELD' });
        await expect(erase(forked(), Address, address.id, remove)).rejects.toMatchObject({
          code: 'ERASURE.HELD',
        });
      }
      expect(await everything()).toBe(before);
      await releaseHold(forked(), hold.id);
    }
    await erase(forked(), Person, ada.id, remove);
  });

  it('that is being placed is waited for', async () => {
    const { ada } = await plant();
    const em = forked();
    await em.begin();
    await placeHold(em, Person, { key: ada.id, reason: 'matter' });
    const erasing = erase(forked(), Person, ada.id, remove).catch((error: unknown) => error);
    await thenEnd(untilWaiting(), () => em.commit());
    expect(await erasing).toMatchObject({ code: 'ERASURE.HELD' });
  });

  it.each(['remove', 'scrub'] as const)(
    'that comes in the middle of an erasure (%s) waits, and learns what is left',
    async (mode) => {
      const { ada } = await plant();
      await other.query('begin');
      await other.query(
        'select from persons where id = $1 for update /* soft-delete: one row, because it is locked only */',
        [ada.id],
      );
      const erasing = erase(forked(), Person, ada.id, mode === 'remove' ? remove : scrub);
      await untilWaiting();
      let isPlaced = false;
      const placing = placeHold(forked(), Person, { key: ada.id, reason: 'matter' })
        .finally(() => (isPlaced = true))
        .catch((error: unknown) => error);
      await untilWaiting(2);
      expect(isPlaced).toBe(false);
      await other.query('commit');
      await erasing;
      expect(await placing).toMatchObject(
        mode === 'remove' ? { code: 'HOLD.NO_ROW' } : { table: 'public.persons', releasedAt: null },
      );
    },
  );

  it('is never answered for a row that is gone then', async () => {
    for (let round = 0; round < 12; round += 1) {
      const { ada } = await plant();
      const [erased, held] = await Promise.allSettled([
        erase(forked(), Person, ada.id, remove),
        placeHold(forked(), Person, { key: ada.id, reason: 'matter' }),
      ]);
      expect([erased.status, held.status].toSorted()).toEqual(['fulfilled', 'rejected']);
      const { rows } = await client.query(
        'select from persons where id = $1 /* soft-delete: dead rows too, because none may be left */',
        [ada.id],
      );
      expect(rows).toHaveLength(held.status === 'fulfilled' ? 1 : 0);
      await client.query(EMPTY);
    }
  });
});

describe('others at the same time', () => {
  it('a child that is being inserted is waited for, and goes along', async () => {
    const { ada } = await plant();
    await other.query('begin');
    await other.query(`insert into addresses (street, person_id) values ('late', $1)`, [ada.id]);
    const erasing = erase(forked(), Person, ada.id, remove);
    await thenEnd(untilWaiting(), () => other.query('commit'));
    expect((await erasing).removed).toEqual(
      expect.arrayContaining([expect.objectContaining({ table: 'public.addresses', rows: 2 })]),
    );
  });

  it('one that refers and stays is waited for, and forbids it', async () => {
    const { ada } = await plant();
    await deleteRows(forked(), Person, { id: ada.id });
    await other.query('begin');
    await other.query('insert into visits (person_id) values ($1)', [ada.id]);
    const erasing = erase(forked(), Person, ada.id, remove).catch((error: unknown) => error);
    await thenEnd(untilWaiting(), () => other.query('commit'));
    expect(await erasing).toMatchObject({ code: 'ERASURE.REFERENCED', constraint: 'visits_person_id_fkey' });
  });

  it('many erasures, deletions and restores of one row erase it once', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { ada } = await plant();
      const { batch } = await deleteRows(forked(), Person, { id: ada.id });
      const all = await Promise.allSettled([
        ...Array.from({ length: 3 }, () => erase(forked(), Person, ada.id, remove)),
        restore(forked(), batch!),
        deleteRows(forked(), Person, { id: ada.id }),
      ]);
      expect(all.slice(0, 3).filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const one of all.slice(0, 3)) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'ERASURE.NO_ROW' });
      }
      expect(await erasuresOf(forked(), Person, ada.id)).toHaveLength(1);
      const { rows } = await client.query(
        'select from persons union all select from addresses union all select from consents /* soft-delete: dead rows too, because none may be left */',
      );
      expect(rows).toEqual([]);
    }
  });
});

it.each([remove, scrub])(
  'an erasure whose session ends before any of its statements leaves nothing half: %p',
  async (options) => {
    const { ada } = await plant();
    await deleteRows(forked(), Address, { person: ada.id });
    let ends = 0;
    for (let count = 1; count < 60; count += 1) {
      const before = await everything();
      let sent = 0;
      const cut: Promise<unknown>[] = [];
      const stop = listenToStatements(db.orm.config, () => {
        sent += 1;
        if (sent === count)
          cut.push(
            client.query(
              `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and pid <> $1`,
              [(other as never as { processID: number }).processID],
            ),
          );
      });
      const outcome = await erase(forked(), Person, ada.id, options).then(
        () => 'done',
        () => 'cut',
      );
      stop();
      await Promise.all(cut);
      const isErased = (await client.query('select from deletion_erasures')).rows.length > 0;
      if (isErased) {
        expect(
          (
            await client.query(
              'select from persons where phone is not null /* soft-delete: dead rows too, because none may be left */',
            )
          ).rows,
        ).toEqual([]);
        // The pool may not have noticed yet that a session which it keeps was ended as well.
        const proofs = () => erasuresOf(forked(), Person, ada.id);
        expect(await proofs().catch(proofs)).toHaveLength(1);
        expect(ends).toBeGreaterThan(6);
        return;
      }
      expect(outcome).toBe('cut');
      ends += 1;
      expect(await everything()).toBe(before);
    }
    throw new Error('It never came to its end.');
  },
);

it('the backstop lets erasures pass, and still refuses what comes past the layer', async () => {
  const url = await databaseWith(TABLES);
  const own = await connect(url);
  await addBackstop(
    own,
    ['persons', 'addresses', 'messages', 'invoices'].map((table) => ({ table, deletedAt: 'deleted_at' })),
  );
  const orm = await MikroORM.init(
    defineDataConfig({ clientUrl: url, modules: [people, deletionJournal], backstop: true }),
  );
  try {
    const em = orm.em.fork();
    const [ada, bob] = ['ada', 'bob'].map((name) => em.create(Person, { name, email: name } as never));
    em.create(Address, { street: 'street', person: ada! });
    await em.flush();
    await deleteRows(em, Person, { id: [ada!.id, bob!.id] });
    await erase(em, Person, ada!.id, remove);
    await erase(em, Person, bob!.id, { mode: { scrub: { name: 'erased' } }, reason: 'request 12' });
    expect(await stateOf(own, 'delete from persons')).toBe('TS001');
    expect((await own.query('select name from persons')).rows).toEqual([{ name: 'erased' }]);
  } finally {
    await orm.close();
    await own.end();
  }
});
