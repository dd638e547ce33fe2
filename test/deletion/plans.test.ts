import { expect, it } from '@jest/globals';
import { deleteRows, explainDelete, restore } from 'tombstone/deletion';
import { connect } from '../kit/fixtures/backstop.ts';
import { Label } from './fixtures/label-model.ts';
import { openMusic } from './fixtures/music.ts';

const ROWS = `
  insert into labels (name) select 'label ' || g from generate_series(1, 1000) g;
  insert into producers (name, label_id) select 'p', 1 + g % 1000 from generate_series(1, 30000) g;
  insert into albums (title, label_id) select 'a' || g, 1 + g % 1000 from generate_series(1, 30000) g;
  insert into tracks (title, album_id, producer_id) select 't', 1 + g % 30000, 1 + g % 30000 from generate_series(1, 60000) g;
  insert into contracts (label_id, deleted_at) select 1 + g % 1000, case when g % 1000 < 20 then now() end from generate_series(1, 30000) g;
  create index on labels (parent_id);
  create index on producers (label_id);
  create index on albums (label_id);
  create index on tracks (producer_id);
  create index on contracts (label_id) where deleted_at is null;
  analyze`;

it('a deletion, its plan and its restore read no whole table where an index on the foreign key exists', async () => {
  const db = await openMusic();
  const client = await connect(db.url);
  await client.query(ROWS);
  await client.end();
  const em = db.orm.em.fork();
  // The foreign keys are read at the first deletion.
  await explainDelete(em, Label, { id: '5' });
  await em.transactional(async (tx) => {
    const plan = await explainDelete(tx, Label, { id: '7' });
    expect(plan.rows).toMatchObject({ 'public.labels': 1, 'public.albums': 30, 'public.tracks': 60 });
    const { batch, fell } = await deleteRows(tx, Label, { id: '7' });
    expect(fell['public.tracks']).toBe(60);
    await restore(tx, batch!);
    const scans = await tx.execute<{ table: string; seq: number; idx: number }[]>(
      `select relname as table, seq_scan::int as seq, idx_scan::int as idx from pg_stat_xact_user_tables
       where relname in ('albums', 'contracts', 'producers', 'tracks') order by 1`,
    );
    expect(scans.map(({ table, seq }) => [table, seq])).toEqual([
      ['albums', 0],
      ['contracts', 0],
      ['producers', 0],
      ['tracks', 0],
    ]);
    expect(scans.every(({ idx }) => idx > 0)).toBe(true);
  });
  await db.close();
});
