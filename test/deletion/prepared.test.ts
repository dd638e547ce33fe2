import { expect, it } from '@jest/globals';
import { deleteRows, restore } from 'tombstone/deletion';
import { openMusic, plantLabel } from './fixtures/music.ts';
import { Label } from './fixtures/label-model.ts';

it('a deletion and a restore are parsed once for a connection, whatever is deleted, by whom and why', async () => {
  const db = await openMusic();
  const em = db.orm.em.fork();
  const names = async () =>
    (
      await em.execute<{ statement: string }[]>(
        `select statement from pg_prepared_statements where statement ~ 'deletion_(entries|rows|batches)' order by prepare_time`,
      )
    ).map(({ statement }) => statement);
  for (const name of ['a', 'b', 'c']) {
    const { label } = await plantLabel(em, name);
    const { batch } = await deleteRows(em, Label, { id: label.id });
    await restore(em, batch!);
  }
  const known = await names();
  for (const part of [
    /^\s*with given .* hit as/s,
    /^\s*with given .* fell0 as .* from deletion_rows/s,
    /^\s*with given .* done0 as \(delete/s,
    /set restored_at/,
    /insert into "public"."album_tags"/,
  ]) {
    expect(known.filter((statement) => part.test(statement))).not.toEqual([]);
  }
  const { label } = await plantLabel(em, 'd');
  const { batch } = await deleteRows(em, Label, { id: label.id });
  await restore(em, batch!);
  expect(await names()).toEqual(known);
  await db.close();
});
