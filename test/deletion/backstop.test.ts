import { MikroORM } from '@mikro-orm/postgresql';
import { expect, it } from '@jest/globals';
import { defineDataConfig, deletionJournal } from 'tombstone';
import { deleteRows, restore } from 'tombstone/deletion';
import { addBackstop, connect, stateOf } from '../kit/fixtures/backstop.ts';
import { Label, music, Producer, TABLES, Track } from './fixtures/label-model.ts';
import { databaseWith, plantLabel } from './fixtures/music.ts';

it('the backstop lets deletions and restores pass, and still refuses what comes past the layer', async () => {
  const url = await databaseWith(TABLES);
  const client = await connect(url);
  const tables = ['labels', 'producers', 'albums', 'tracks', 'contracts'];
  await addBackstop(
    client,
    tables.map((table) => ({ table, deletedAt: 'deleted_at' })),
  );
  const orm = await MikroORM.init(
    defineDataConfig({ clientUrl: url, modules: [music, deletionJournal], backstop: true }),
  );
  try {
    const em = orm.em.fork();
    const { label, producer } = await plantLabel(em);
    const unlinking = await deleteRows(em, Producer, { id: producer.id });
    const falling = await deleteRows(em, Label, { id: label.id });
    expect(await stateOf(client, 'update tracks set deleted_at = null')).toBe('TS002');
    expect(await stateOf(client, 'delete from tracks')).toBe('TS001');
    await restore(em, falling.batch!);
    await restore(em, unlinking.batch!);
    expect(await em.fork().count(Track, { producer: producer.id })).toBe(4);
  } finally {
    await orm.close();
    await client.end();
  }
});
