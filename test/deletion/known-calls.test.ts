import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { listenToStatements } from '../../src/kit/orm/index.ts';
import { Album, Label } from './fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from './fixtures/music.ts';
import { statementsOf } from './fixtures/statements.ts';

let db: Music;
beforeAll(async () => {
  db = await openMusic();
});
afterAll(() => db.close());

/** More often than the layer needs to know a call, so that one by its shape alone would mark the label and nothing else. */
const TIMES = 4;

const orphans = (): Promise<[{ count: number }]> =>
  db.orm.em
    .fork()
    .execute(
      'select count(*)::int from albums a join labels l on l.id = a.label_id where a.deleted_at is null and l.deleted_at is not null',
    );

describe('a deletion by policies, called again and again', () => {
  const ways: [string, number | boolean, (label: Label) => Promise<unknown>][] = [
    ['em.nativeDelete', 1, ({ id }) => db.orm.em.fork().nativeDelete(Label, { id })],
    ['softDelete of the repository', true, ({ id }) => db.orm.em.fork().getRepository(Label).softDelete(id)],
    [
      'em.nativeDelete among deleted rows',
      1,
      ({ id }) => db.orm.em.fork().withDeleted((em) => em.nativeDelete(Label, { id })),
    ],
  ];

  it.each(ways)('takes the children along each time: %s', async (way, answer, remove) => {
    for (let time = 0; time < TIMES; time += 1) {
      const { label } = await plantLabel(db.orm.em.fork(), `${way} ${time}`);
      expect(await remove(label)).toBe(answer);
      expect(await orphans()).toEqual([{ count: 0 }]);
    }
  });

  it('removes the label only, without its journal, where soft delete is skipped', async () => {
    for (let time = 0; time < TIMES; time += 1) {
      const em = db.orm.em.fork();
      const label = em.create(Label, { name: `skipped ${time}` });
      await em.flush();
      const sent = await statementsOf(db, () =>
        em.skipSoftDelete((own) => own.nativeDelete(Label, { id: label.id })),
      );
      expect(sent).toHaveLength(1);
    }
  });

  it('leaves a flush of plain changes its one statement', async () => {
    const em = db.orm.em.fork();
    const { albums } = await plantLabel(em, 'flushed');
    for (const album of albums) album.title += ', again';
    const sent: string[] = [];
    const stop = listenToStatements(db.orm.config, ({ text }) => sent.push(text ?? ''));
    await em.flush();
    stop();
    expect(sent).toEqual([expect.stringContaining('unnest')]); // and no transaction around it
    expect(await db.orm.em.fork().count(Album, { label: albums[0]!.label.id })).toBe(2);
  });
});
