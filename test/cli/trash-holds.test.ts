import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { TABLES } from '../deletion/fixtures/label-model.ts';
import { databaseWith } from '../deletion/fixtures/music.ts';
import { connect } from '../kit/fixtures/backstop.ts';
import { trash } from './fixtures/trash.ts';

let url: string;
let client: Client;
beforeAll(async () => {
  url = await databaseWith(TABLES);
  client = await connect(url);
  await client.query(
    `insert into labels (name) values ('Verve'); insert into contracts (label_id) values (1);
     insert into tags (name) values ('blue'); insert into albums (title, label_id) values ('first', 1);
     insert into album_tags values (1, 1)`,
  );
});
afterAll(() => client.end());

/** The document of a command that went well. */
async function done(...args: string[]): Promise<Record<string, unknown>> {
  const { code, out, err } = await trash(url, ...args, '--json');
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as Record<string, unknown>;
}

/** Exit and code of a command that was refused, for people in a sentence and for machines in one object. */
async function refused(...args: string[]): Promise<[number | null, string]> {
  const { code, out, err } = await trash(url, ...args, '--json');
  const { error } = JSON.parse(out) as { error: { code: string; message: string; exitCode: number } };
  expect(err).toContain(error.message);
  expect(error.exitCode).toBe(code);
  return [code, error.code];
}

const WHY = ['--reason', 'case 12'];

it('holds a row or a table, tells who holds what, and releases it once', async () => {
  const said = await trash(url, 'hold', '--entity', 'Contract', '--key', '1', ...WHY, '--actor', 'officer:1');
  expect([said.code, said.out]).toEqual([
    0,
    expect.stringMatching(/^Held public\.contracts 1: hold [\w-]+\.\n$/),
  ]);
  const { hold } = await done('hold', '--entity', 'Tag', '--all', ...WHY);
  expect(hold).toMatchObject({ table: 'public.tags', key: null, reason: 'case 12', actor: null });
  const { holds } = await done('holds');
  expect(holds).toMatchObject([{ table: 'public.contracts', key: '1', actor: 'officer:1' }, hold as object]);
  expect(await done('holds', '--entity', 'Contract', '--key', '2')).toMatchObject({ holds: [] });

  const [{ id }] = holds as [{ id: string }];
  expect(await done('release', id, '--reason', 'closed', '--actor', 'officer:2')).toMatchObject({
    hold: { id, releasedBy: 'officer:2', releaseReason: 'closed' },
  });
  expect(await done('holds', '--entity', 'Contract')).toMatchObject({ holds: [] });
  const { out } = await trash(url, 'holds', '--entity', 'Contract', '--released');
  expect(out).toMatch(/public\.contracts +1 .* officer:1 +case 12 .* officer:2 +closed\n/);
  expect(await refused('release', id)).toEqual([82, 'HOLD.RELEASED']);
}, 120_000);

it('refuses what it cannot take', async () => {
  const before = (await client.query('select * from deletion_holds order by id')).rows;
  const ends = [];
  for (const args of [
    ['release', '00000000-0000-4000-8000-000000000000'],
    ['release', 'x'],
    ['hold', '--entity', 'Contract', '--key', '999', ...WHY],
    ['hold', '--entity', 'Contract', '--key', '1', '--reason', ' '],
    ['hold', '--entity', 'Contract', '--key', 'x', ...WHY],
    ['hold', '--entity', 'Nobody', '--key', '1', ...WHY],
    ['hold', '--entity', 'Contract', ...WHY],
    ['hold', '--entity', 'Contract', '--key', '1', '--all', ...WHY],
    ['holds', '--key', '1'],
  ])
    ends.push(await refused(...args));
  expect(ends).toEqual([
    [81, 'HOLD.UNKNOWN'],
    [81, 'HOLD.UNKNOWN'],
    [80, 'HOLD.NO_ROW'],
    [83, 'HOLD.NO_REASON'],
    ...Array.from({ length: 5 }, () => [2, 'CLI.USAGE']),
  ]);
  expect((await client.query('select * from deletion_holds order by id')).rows).toEqual(before);
}, 120_000);
