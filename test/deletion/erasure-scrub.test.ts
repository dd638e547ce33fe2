import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { deleteRows, erase, previewRestore, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { everythingIn, openPeople, type People, plantPeople } from './fixtures/open-people.ts';
import { EMPTY, Message, Person } from './fixtures/people.ts';

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

const everything = () => everythingIn(client);
const plant = () => plantPeople(forked());

describe('a row that is scrubbed', () => {
  const scrub = { name: 'erased', email: 'erased@invalid', phone: null, bio: null };
  const row = async (id: string) =>
    (
      await client.query(
        `select * from persons where id = $1 /* soft-delete: dead rows too, because it is one of them */`,
        [id],
      )
    ).rows[0];

  it('stays as dead or live as it was, without its values, and the journal without what hung on it', async () => {
    const { ada, friend } = await plant();
    await client.query('insert into visits (person_id) values ($1)', [ada.id]);
    const { batch } = await deleteRows(forked(), Person, { id: ada.id });
    const before = await row(ada.id);
    const proof = await erase(forked(), Person, ada.id, { mode: { scrub }, reason: REASON });
    expect(proof).toMatchObject({
      mode: 'scrub',
      wasLive: false,
      batch: null,
      removed: [],
      scrubbed: ['name', 'email', 'phone', 'bio'],
    });
    expect(proof.journal).toEqual([{ batch, kind: 'removed', table: 'public.consents', rows: 2, images: 2 }]);
    const after = await row(ada.id);
    expect(after).toMatchObject({
      name: 'erased',
      email: 'erased@invalid',
      phone: null,
      bio: null,
      version: before.version + 1,
      deleted_at: before.deleted_at,
    });
    expect(after.updated_at.getTime()).toBeGreaterThan(before.updated_at.getTime());
    expect(
      JSON.stringify([await row(ada.id), proof, (await client.query('select * from deletion_entries')).rows]),
    ).not.toContain('CANARY');
    const restored = await restore(forked(), batch!);
    expect(restored).toMatchObject({ relinked: { messages_author_id_fkey: 1 }, reinserted: {} });
    await erase(forked(), Person, friend.id, { mode: { scrub: { phone: 'x' } }, reason: REASON });
    expect(await row(friend.id)).toMatchObject({ phone: 'x', name: 'friend', deleted_at: null });
  });

  it('does not get back what was overwritten: the journal forgets what an unlinked row referred to', async () => {
    const { ada, message } = await plant();
    const { batch } = await deleteRows(forked(), Person, { id: ada.id });
    const proof = await erase(forked(), Message, message.id, {
      mode: { scrub: { author: null } },
      reason: REASON,
    });
    expect(proof.journal).toEqual([
      { batch, kind: 'unlinked', table: 'public.messages', rows: 1, images: 1 },
    ]);
    const preview = await previewRestore(forked(), batch!);
    expect(preview).toMatchObject({ relinks: {}, vanishedTargets: [{ keys: [message.id] }] });
    expect(await restore(forked(), batch!)).toMatchObject({ relinked: {} });
  });

  it('is refused where a live row has the value, by the name of the index', async () => {
    const { ada, friend } = await plant();
    const before = await everything();
    await expect(
      erase(forked(), Person, ada.id, {
        mode: { scrub: { email: friend.email, phone: null } },
        reason: REASON,
      }),
    ).rejects.toMatchObject({ constraint: 'persons_email_live' });
    expect(await everything()).toBe(before);
  });

  it.each([
    ['nothing', {}, 'no property'],
    ['a property that is none', { hobby: null }, 'no such property'],
    ['the primary key', { id: '5' }, 'primary key'],
    ['the mark', { deletedAt: null }, 'marks the row'],
    ['null where none can be', { name: null }, 'cannot be null'],
    ['a computed column', { initial: 'x' }, 'computed'],
    ['what every write sets', { updatedAt: new Date() }, 'sets it by itself'],
    ['the version', { version: 7 }, 'sets it by itself'],
    ['a column that others refer to', { code: null }, 'foreign key'],
    ['a collection', { addresses: null }, 'no column'],
    ['a property that is not stored', { nickname: null }, 'no column'],
    ['no value', { phone: undefined }, 'no value'],
  ])('is refused with %s', async (_what, values, words) => {
    const { ada } = await plant();
    const refused = erase(forked(), Person, ada.id, { mode: { scrub: values as never }, reason: REASON });
    await expect(refused).rejects.toMatchObject({
      code: 'ERASURE.COLUMN',
      status: 400,
      message: expect.stringContaining(words),
    });
  });
});
