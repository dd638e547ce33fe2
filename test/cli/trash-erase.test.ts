import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { connect } from '../kit/fixtures/backstop.ts';
import { databaseWith } from '../deletion/fixtures/music.ts';
import { TABLES } from '../deletion/fixtures/people.ts';
import { type Ended, run } from '../support/command.ts';

let url: string;
let client: Client;
beforeAll(async () => {
  url = await databaseWith(TABLES);
  client = await connect(url);
});
afterAll(() => client.end());

const erase = (...args: string[]): Promise<Ended> =>
  run(
    [
      '--import',
      './tools/from-sources.js',
      'bin/tombstone.js',
      'trash',
      'erase',
      ...args,
      '--config',
      'test/cli/fixtures/people.config.ts',
    ],
    { DATABASE_URL: url },
  );

const persons = async (): Promise<object[]> =>
  (await client.query('select id, name, phone from persons order by id')).rows;

it('erases with an explicit word only, prints the proof, and tells by its exit code why not', async () => {
  await client.query(
    `insert into persons (name, email, phone) values ('ada', 'ada@x', '1'), ('bob', 'bob@x', '2')`,
  );
  await client.query(`insert into visits (person_id) values (2)`);
  const before = await persons();
  const unsure = await erase('Person', '1', '--reason', 'request 12');
  expect([unsure.code, unsure.err]).toEqual([2, expect.stringContaining('--dry-run')]);
  expect((await erase('Person', '1', '--reason', 'request 12', '--dry-run', '--yes')).code).toBe(2);

  const dry = await erase('Person', '1', '--reason', 'request 12', '--dry-run');
  expect(dry.out).toBe(
    'Remove Person 1\n  removed   1 of public.persons\n  journal   0 images in 1 batches\nNothing was erased.\n',
  );
  expect(await persons()).toEqual(before);

  const done = await erase(
    'Person',
    '1',
    '--reason',
    'request 12',
    '--actor',
    'officer:1',
    '--yes',
    '--json',
  );
  expect(JSON.parse(done.out)).toMatchObject({
    proof: {
      entity: 'Person',
      key: '1',
      mode: 'remove',
      actor: 'officer:1',
      reason: 'request 12',
      removed: [{ rows: 1 }],
    },
  });
  expect(await persons()).toEqual([before[1]]);

  const codes = [];
  for (const args of [
    ['Person', '1'],
    ['Person', 'x'],
    ['Person', '2'],
    ['Person', '2', '--null', 'hobby'],
    ['Nobody', '2'],
    ['Person', '2', '--set', 'name'],
  ])
    codes.push((await erase(...args, '--reason', 'request 12', '--yes')).code);
  expect(codes).toEqual([69, 69, 71, 72, 2, 2]);

  const scrubbed = await erase(
    'Person',
    '2',
    '--reason',
    'request 12',
    '--null',
    'phone',
    '--set',
    'name=erased',
    '--yes',
  );
  expect([scrubbed.code, scrubbed.out]).toEqual([0, expect.stringContaining('scrubbed  phone, name')]);
  expect(await persons()).toEqual([{ id: '2', name: 'erased', phone: null }]);
}, 120_000);
