import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import {
  deleteRows,
  erase,
  erasuresOf,
  explainDelete,
  previewErasure,
  previewRestore,
  restore,
  withDeletionContext,
} from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { everythingIn, openPeople, type People, plantPeople } from './fixtures/open-people.ts';
import { Address, Consent, EMPTY, Invoice, Message, Person } from './fixtures/people.ts';

let db: People;
let client: Client;
beforeAll(async () => {
  db = await openPeople();
  client = await connect(db.url);
});
afterAll(async () => {
  await client.end();
  await db.close();
});
beforeEach(() => client.query(`set lock_timeout = '10s'; ${EMPTY}`));

const forked = () => db.orm.em.fork();
const REASON = 'request 12';
const remove = { mode: 'remove', reason: REASON } as const;

/** Ends a transaction whatever became of the work: an open one would block the next test. */
async function thenEnd(work: Promise<unknown>, end: () => Promise<unknown>): Promise<void> {
  try {
    await work;
  } finally {
    await end();
  }
}

/** As `jsonb` prints an array. */
const textOfKey = (parts: readonly string[]) => `[${parts.map((part) => JSON.stringify(part)).join(', ')}]`;

const everything = () => everythingIn(client);
const plant = () => plantPeople(forked());

describe('a row that is removed', () => {
  it('is gone with what was part of it and all that the journal knew of it, and the proof tells what', async () => {
    const { ada, ward, friend, addresses, message } = await plant();
    // Part of it, deleted long before.
    const older = await deleteRows(forked(), Address, { id: addresses[0]!.id });
    expect(await everything()).toContain('CANARY');
    const proof = await withDeletionContext({ actor: 'officer:1', tenant: 'a' }, () =>
      erase(forked(), Person, ada.id, remove),
    );
    const left = await everything();
    expect(left).not.toContain('CANARY');
    expect(JSON.stringify(proof)).not.toContain('CANARY');
    expect(proof).toMatchObject({
      entity: 'Person',
      table: 'public.persons',
      key: ada.id,
      mode: 'remove',
      actor: 'officer:1',
      reason: REASON,
      tenant: 'a',
      wasLive: true,
      unlinked: [
        { constraint: 'messages_author_id_fkey', table: 'public.messages', rows: 1, keys: [message.id] },
      ],
      scrubbed: [],
    });
    expect(proof.removed).toEqual(
      expect.arrayContaining([
        { table: 'public.persons', rows: 2, keys: [ada.id, ward.id] },
        { table: 'public.addresses', rows: 2, keys: addresses.map(({ id }) => id) },
        {
          table: 'public.consents',
          rows: 2,
          keys: [
            [ada.id, 'mail'],
            [friend.id, 'mail'],
          ].map(textOfKey),
        },
      ]),
    );
    expect(proof.removed).toHaveLength(3);
    expect(proof.edges).toEqual([
      { constraint: 'addresses_person_id_fkey', table: 'public.addresses', rows: 2 },
      { constraint: 'consents_person_id_fkey', table: 'public.consents', rows: 1 },
      { constraint: 'consents_witness_id_fkey', table: 'public.consents', rows: 1 },
      { constraint: 'persons_guardian_id_fkey', table: 'public.persons', rows: 1 },
    ]);
    expect(proof.journal).toHaveLength(4);
    expect(proof.journal).toEqual(
      expect.arrayContaining([
        { batch: older.batch, kind: 'fell', table: 'public.addresses', rows: 1, images: 0 },
        { batch: proof.batch, kind: 'fell', table: 'public.persons', rows: 2, images: 0 },
        { batch: proof.batch, kind: 'fell', table: 'public.addresses', rows: 1, images: 0 },
        { batch: proof.batch, kind: 'unlinked', table: 'public.messages', rows: 1, images: 1 },
      ]),
    );
    expect(await forked().find(Person, {})).toMatchObject([{ id: friend.id }]);
    expect(await forked().find(Message, {})).toMatchObject([{ id: message.id, author: null }]);
    const { rows } = await client.query<{ same: boolean }>(
      `select erased_at = $1::timestamptz and proof ->> 'transaction' = $2 as same from deletion_erasures`,
      [proof.erasedAt, proof.transaction],
    );
    expect(rows).toEqual([{ same: true }]);
    expect(await erasuresOf(forked(), Person, ada.id)).toEqual([proof]);
    expect(await erasuresOf(forked(), Person, friend.id)).toEqual([]);
    expect(await erasuresOf(forked(), Address)).toEqual([]);
  });

  it('may be dead already; the batches that it was in tell a restore that it is gone', async () => {
    const { ada, ward, friend, addresses } = await plant();
    const { batch } = await deleteRows(forked(), Person, { id: [ada.id, friend.id] });
    const alone = await deleteRows(forked(), Address, { id: addresses[0]!.id });
    expect(alone.batch).toBeUndefined();
    const proof = await erase(forked(), Person, ada.id, remove);
    expect(proof).toMatchObject({ wasLive: false, batch: null });
    await expect(restore(forked(), batch!)).rejects.toMatchObject({ code: 'DELETION.INCOMPLETE_BATCH' });
    const preview = await previewRestore(forked(), batch!);
    expect(preview.changed).toEqual(
      expect.arrayContaining([
        { table: 'public.persons', state: 'gone', rows: 2, keys: [ada.id, ward.id] },
        { table: 'public.addresses', state: 'gone', rows: 2, keys: addresses.map(({ id }) => id) },
      ]),
    );
    expect(preview).toMatchObject({ restorable: false, reinserts: {}, relinks: {} });
    const restored = await restore(forked(), batch!, { changed: 'skip' });
    expect(restored).toMatchObject({ rows: { 'public.persons': 1 }, relinked: {}, reinserted: {} });
    expect(await everything()).not.toContain('CANARY');
  });

  it('leaves a batch that tells it was removed for good', async () => {
    const { ada } = await plant();
    const { batch } = await erase(forked(), Person, ada.id, remove);
    await expect(restore(forked(), batch!)).rejects.toMatchObject({ code: 'DELETION.PURGED_BATCH' });
  });

  it('leaves the images of others', async () => {
    const { friend, ada } = await plant();
    const { batch } = await deleteRows(forked(), Person, { id: friend.id });
    const em = forked();
    const third = em.create(Person, { name: 'third', email: 'third@x' } as never);
    em.create(Message, { body: 'kept', author: third });
    await em.flush();
    const other = await deleteRows(forked(), Person, { id: third.id });
    await erase(forked(), Person, ada.id, remove);
    const { rows } = await client.query(
      'select details from deletion_entries where batch_id = $1 and kind <> $2',
      [other.batch, 'fell'],
    );
    expect(rows).toEqual([{ details: [{ author_id: Number(third.id) }] }]);
    // Both links led to the one who is erased.
    await restore(forked(), batch!);
    expect(await forked().count(Consent)).toBe(0);
  });

  it('takes the reference from rows that lose it, dead ones too', async () => {
    const { ada } = await plant();
    await deleteRows(forked(), Message, { author: ada.id });
    await client.query(`insert into sightings (note, person_id) values ('seen', $1)`, [ada.id]);
    const proof = await erase(forked(), Person, ada.id, remove);
    expect(proof.unlinked.map(({ constraint, rows }) => [constraint, rows])).toEqual([
      ['messages_author_id_fkey', 1],
      ['sightings_person_id_fkey', 1],
    ]);
    const { rows } = await client.query(
      'select author_id from messages union all select person_id from sightings /* soft-delete: dead rows too, because both are looked at */',
    );
    expect(rows).toEqual([{ author_id: null }, { author_id: null }]);
  });

  it('is refused while others refer to it that are not part of it, and nothing has changed', async () => {
    const { ada } = await plant();
    await client.query('insert into visits (person_id) values ($1)', [ada.id]);
    const before = await everything();
    await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({
      code: 'ERASURE.REFERENCED',
      status: 409,
      constraint: 'visits_person_id_fkey',
      blockers: [{ constraint: 'visits_person_id_fkey', table: 'public.visits', rows: 1 }],
    });
    expect(await everything()).toBe(before);
  });

  it('is refused by what restricts: a live row forbids the deletion, a dead one the removal', async () => {
    const { ada } = await plant();
    const em = forked();
    const invoice = em.create(Invoice, { number: '1', person: ada.id as never });
    await em.flush();
    const before = await everything();
    await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({
      code: 'DELETION.RESTRICTED',
      constraint: 'invoices_person_id_fkey',
    });
    expect(await everything()).toBe(before);
    await deleteRows(forked(), Invoice, { id: invoice.id });
    await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({
      code: 'ERASURE.REFERENCED',
      constraint: 'invoices_person_id_fkey',
      blockers: [{ keys: [invoice.id] }],
    });
    await erase(forked(), Invoice, invoice.id, remove);
    await erase(forked(), Person, ada.id, remove);
  });

  it('is refused by a table without a primary key as well', async () => {
    const { ada } = await plant();
    await client.query(
      `update persons set code = 'c' where id = $1 /* soft-delete: one row, because it is known to live */`,
      [ada.id],
    );
    await client.query(`insert into badges values ('7', 'c')`);
    await expect(
      deleteRows(forked(), Person, { id: ada.id }).then(() => erase(forked(), Person, ada.id, remove)),
    ).rejects.toMatchObject({ constraint: 'badges_person_code_fkey' });
  });

  it('is refused with a live child that came behind its deletion', async () => {
    const { ada } = await plant();
    await deleteRows(forked(), Person, { id: ada.id });
    await client.query(`insert into addresses (street, person_id) values ('late', $1)`, [ada.id]);
    await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({
      code: 'ERASURE.REFERENCED',
      constraint: 'addresses_person_id_fkey',
    });
  });

  it('leaves the identity map, with what was part of it', async () => {
    const { ada, addresses, friend } = await plant();
    const em = forked();
    const [row, street, other] = [
      await em.findOneOrFail(Person, ada.id),
      await em.findOneOrFail(Address, addresses[0]!.id),
      await em.findOneOrFail(Person, friend.id),
    ];
    row.name = 'changed';
    await erase(em, Person, ada.id, remove);
    await em.flush();
    expect([
      em.getUnitOfWork().getById(Person, row.id as never),
      em.getUnitOfWork().getById(Address, street.id as never),
    ]).toEqual([undefined, undefined]);
    expect(await em.findOne(Person, friend.id)).toBe(other);
    expect(await everything()).not.toContain('changed');
  });

  it('comes back with the transaction of the caller', async () => {
    const { ada } = await plant();
    const before = await everything();
    const em = forked();
    await em.begin();
    await thenEnd(erase(em, Person, ada.id, remove), () => em.rollback());
    expect(await everything()).toBe(before);
  });

  it('is previewed without a trace, in a transaction of the caller too', async () => {
    const { ada } = await plant();
    const before = await everything();
    const preview = await previewErasure(forked(), Person, ada.id, remove);
    expect(await everything()).toBe(before);
    const em = forked();
    await em.begin();
    await thenEnd(previewErasure(em, Person, ada.id, remove), () => em.commit());
    expect(await everything()).toBe(before);
    const { removed, edges } = await erase(forked(), Person, ada.id, remove);
    expect({ removed, edges }).toEqual({ removed: preview.removed, edges: preview.edges });
  });

  it('is not there for an entity manager whose filters hide it', async () => {
    const { ada } = await plant();
    const em = forked();
    em.addFilter({ name: 'tenant', cond: { tenant: 'b' }, entity: [Person] });
    await expect(erase(em, Person, ada.id, remove)).rejects.toMatchObject({
      code: 'ERASURE.NO_ROW',
      status: 404,
    });
  });
});

describe('an erasure is refused', () => {
  it.each(['999999', 'no number', '', null, undefined])('for a key without a row: %p', async (key) => {
    await plant();
    for (const mode of ['remove', { scrub: { phone: null } }] as const) {
      await expect(erase(forked(), Person, key as never, { mode, reason: REASON })).rejects.toMatchObject({
        code: 'ERASURE.NO_ROW',
      });
    }
  });

  it.each(['', '  ', undefined])('without a reason: %p', async (reason) => {
    const { ada } = await plant();
    await expect(
      erase(forked(), Person, ada.id, { mode: 'remove', reason: reason as never }),
    ).rejects.toMatchObject({ code: 'ERASURE.NO_REASON' });
  });

  it('for an entity that does not delete by policies, and inside skipSoftDelete', async () => {
    await expect(erase(forked(), Consent as never, ['1', 'mail'] as never, remove)).rejects.toMatchObject({
      code: 'DELETION.NOT_REGISTERED',
    });
    await expect(forked().skipSoftDelete((em) => erase(em, Person, '1', remove))).rejects.toMatchObject({
      code: 'DELETION.SCOPE',
    });
  });

  it('the second time, and the proof of the first is there', async () => {
    const { ada } = await plant();
    const proof = await erase(forked(), Person, ada.id, remove);
    await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({ code: 'ERASURE.NO_ROW' });
    expect(await erasuresOf(forked(), Person, ada.id)).toEqual([proof]);
    expect(await explainDelete(forked(), Person, { id: ada.id })).toMatchObject({ rows: {} });
  });

  it('where a trigger keeps the row, and nothing has changed', async () => {
    const { ada } = await plant();
    await client.query(`create function keep_row() returns trigger language plpgsql as 'begin return null; end';
      create trigger keep before delete on addresses for each row execute function keep_row()`);
    const before = await everything();
    await expect(erase(forked(), Person, ada.id, remove)).rejects.toMatchObject({ code: 'ERASURE.RESISTED' });
    expect(await everything()).toBe(before);
    await client.query('drop trigger keep on addresses; drop function keep_row()');
  });
});
