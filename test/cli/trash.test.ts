import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Client } from 'pg';
import { type BatchId, deleteRows, restore, withDeletionContext } from 'tombstone/deletion';
import { DELETION_EXITS, deletionExitLines } from '../../src/cli/deletion-exits.ts';
import { Contract, Label, Producer, Track } from '../deletion/fixtures/label-model.ts';
import { type Music, openMusic, plantLabel } from '../deletion/fixtures/music.ts';
import { connect } from '../kit/fixtures/backstop.ts';
import { type Ended, ROOT, run } from '../support/command.ts';
import { cloneTestDatabase } from '../support/database.ts';
import { expectSentence, project } from './fixtures/project.ts';
import { trash } from './fixtures/trash.ts';

let db: Music;
let client: Client;
beforeAll(async () => {
  db = await openMusic();
  client = await connect(db.url);
});
afterAll(async () => {
  await client.end();
  await db.close();
});
beforeEach(() =>
  client.query(
    'truncate labels, producers, albums, tracks, contracts, plays, tags, album_tags, deletion_batches, deletion_entries, deletion_holds restart identity cascade',
  ),
);

const NOBODY = '00000000-0000-4000-8000-000000000000';

/** A label that fell with all that is its own, and a contract that was deleted before. */
async function deletedLabel() {
  const em = db.orm.em.fork();
  const planted = await plantLabel(em);
  const contract = em.create(Contract, { label: planted.label });
  await em.flush();
  em.remove(contract);
  await em.flush();
  const facts = { actor: 'user:7', reason: 'contract ended', tenant: '3' };
  const { batch } = await withDeletionContext(facts, () => deleteRows(em, Label, { id: planted.label.id }));
  return { ...planted, em, contract, batch: batch! };
}

/** Runs the command with and without --json, neither of which may write, and gives the document. */
async function refused(exit: number, ...args: string[]): Promise<{ code: string; [fact: string]: unknown }> {
  const [json, text] = [await trash(db.url, ...args, '--json'), await trash(db.url, ...args)];
  expect([json.code, text.code]).toEqual([exit, exit]);
  expectSentence(text);
  const { error } = JSON.parse(json.out) as { error: { code: string; message: string; exitCode: number } };
  expect(error.exitCode).toBe(exit);
  expect(text.err).toContain(error.message);
  return error;
}

const parsed = ({ out, code, err }: Ended): Record<string, unknown> => {
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as Record<string, unknown>;
};

/** What the page shows, whatever its ids, instants and widths are. */
const plain = (text: string): string[] =>
  text
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:]+Z/g, 'TIME')
    .replaceAll(/^Database .*/gm, 'Database')
    .split('\n')
    .map((line) => line.replaceAll(/ +/g, ' ').trim())
    .filter((line) => line !== '');

/** A contract, a producer and a track that was played are dead for longer than their policies say. */
const timeGoesBy = (track: string) =>
  client.query(`insert into plays (track_id) values (${track});
    update tracks set deleted_at = now() - interval '40 days' where id = ${track};
    insert into producers (name, deleted_at) values ('x', now() - interval '40 days');
    update contracts set deleted_at = now() - interval '40 days'
    /* soft-delete: dead rows, because they grow older */`);

const heldBy = async (): Promise<string> =>
  (await client.query<{ id: string }>('select id from deletion_holds')).rows[0]!.id;

it('every example of docs/trash.md prints what stands there', async () => {
  const { batch, tracks } = await deletedLabel();
  const page = readFileSync(join(ROOT, 'docs/trash.md'), 'utf8');
  const examples = [...page.matchAll(/^```console\n\$ tombstone trash (.*)\n([^]*?)^```/gm)];
  expect(examples.length).toBeGreaterThan(3);
  for (const [, line = '', output = ''] of examples) {
    const args = [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
    if (args[0] === 'hold') await timeGoesBy(tracks[3]!.id);
    const id = args[0] === 'release' ? await heldBy() : batch;
    const { out, err } = await trash(db.url, ...args.map((one) => (one.length === 36 ? id : one)));
    expect([line, plain(out + err)]).toEqual([line, plain(output)]);
  }
}, 150_000);

describe('trash list', () => {
  it('gives machines the page, what is left of each batch, and the rows without a journal', async () => {
    const { batch, em, tracks } = await deletedLabel();
    await client.query('update tracks set deleted_at = null where id = $1', [tracks[0]!.id]);
    const first = parsed(await trash(db.url, 'list', '--json'));
    expect(first).toMatchObject({
      batches: [{ batch, actor: 'user:7', reason: 'contract ended', tenant: '3', state: 'changed' }],
      next: null,
      unjournaled: [{ entity: 'Contract', table: 'public.contracts', rows: 1 }],
    });
    expect((await trash(db.url, 'list')).out).toMatch(/ Label +8 +changed: 7 of 8 left\n/);
    const label = em.create(Label, { name: 'ECM' });
    await em.flush();
    await withDeletionContext({ actor: 'x\u001b[31m\n' }, () => deleteRows(em, Label, { id: label.id }));
    const { next, unjournaled } = parsed(await trash(db.url, 'list', '--limit', '1', '--json'));
    expect(unjournaled).toHaveLength(1);
    const second = parsed(await trash(db.url, 'list', '--after', String(next), '--json'));
    expect(second).toMatchObject({ batches: [{ batch }], unjournaled: [] });
    const { out } = await trash(db.url, 'list', '--limit', '1', '--since', '2020-01-01');
    expect(out).toContain('x\\u{1b}[31m\\u{a}');
    expect(out).toContain(`There are more: --after ${String(next)}\n`);
    const none = parsed(await trash(db.url, 'list', '--actor', 'user:9', '--json'));
    expect(none).toMatchObject({ batches: [], unjournaled: [] });
    const asked = await trash(db.url, 'list', '--entity', 'Track', '--since', '2999-01-01');
    expect(asked.out).toContain('No batch is in the journal that this asks for.');
  });

  it('shows of rows their keys and times, and nothing else of them', async () => {
    await deletedLabel();
    const { rows, entity } = parsed(await trash(db.url, 'list', '--rows', 'Track', '--json'));
    expect(entity).toBe('Track');
    expect(rows).toHaveLength(4);
    for (const row of rows as object[]) expect(Object.keys(row)).toEqual(['key', 'deletedAt']);
  });

  it('works on our own schema, which has no journal', async () => {
    const { url } = await cloneTestDatabase();
    const bin = join(ROOT, 'bin/tombstone.js');
    const { batches, unjournaled } = parsed(
      await run([bin, 'trash', 'list', '--json'], { DATABASE_URL: url }),
    );
    expect(batches).toEqual([]);
    expect(unjournaled).toContainEqual(expect.objectContaining({ entity: 'User', rows: 0, newest: null }));
  });

  it('refuses what it cannot take', async () => {
    const wrong = [
      ['--entity', 'Nobody'],
      ['--entity', 'Tag'],
      ['--rows', 'Tag'],
      ['--rows', 'Track', '--actor', 'x'],
      ['--rows', 'Track', '--after', 'x'],
      ['--since', '2026-02-30'],
      ['--since', '2026-02-03T10:00'],
      ['--limit', '0'],
      ['--limit', '1001'],
      ['--after', 'x'],
    ];
    for (const args of wrong) {
      const ended = await trash(db.url, 'list', ...args, '--json');
      expect([args, ended.code]).toEqual([args, 2]);
      expect(JSON.parse(ended.out)).toMatchObject({ error: { code: 'CLI.USAGE', exitCode: 2 } });
    }
    expect((await trash(db.url, 'list', '--after', NOBODY)).code).toBe(60);
  }, 60_000);
});

describe('trash show', () => {
  it('tells of a restored batch when and by whom, and foresees nothing', async () => {
    const { em, batch } = await deletedLabel();
    await withDeletionContext({ actor: 'user:8', reason: 'mistake' }, () => restore(em, batch));
    const shown = parsed(await trash(db.url, 'show', batch, '--json'));
    expect(shown).toMatchObject({ batch: { state: 'restored', restoredBy: 'user:8' }, preview: null });
    expect((await trash(db.url, 'show', batch)).out).toMatch(/restored \S+Z by user:8: mistake\n/);
  });

  it('names what changed, ancestors, and links that do not come back', async () => {
    const em = db.orm.em.fork();
    const { label, producer, tracks } = await plantLabel(em);
    const { batch } = await deleteRows(em, Producer, { id: producer.id });
    await deleteRows(em, Label, { id: label.id });
    await client.query('delete from tracks where id = $1', [tracks[0]!.id]);
    const { out } = await trash(db.url, 'show', batch!);
    expect(out).toContain('dead ancestor  1 of public.labels by producers_label_id_fkey (1)');
    expect(out).toContain('stays unlinked 1 of public.tracks by tracks_producer_id_fkey (1)');
  });

  it('refuses a text that is no id, and an id that the journal does not have', async () => {
    expect(await refused(2, 'show', 'batch-7')).toMatchObject({ code: 'CLI.USAGE' });
    expect(await refused(60, 'show', NOBODY)).toMatchObject({
      code: 'DELETION.UNKNOWN_BATCH',
      remedy: 'take an id that trash list prints',
    });
  });
});

describe('trash restore', () => {
  it('brings a batch back with who and why, once', async () => {
    const { em, batch } = await deletedLabel();
    const args = ['restore', batch, '--actor', 'user:8', '--reason', 'mistake', '--json'];
    expect(parsed(await trash(db.url, ...args))).toMatchObject({
      restored: {
        batch,
        rows: { 'public.labels': 1, 'public.tracks': 4 },
        reinserted: { 'public.album_tags': 1 },
      },
    });
    expect(await em.fork().count(Track)).toBe(4);
    const { rows } = await client.query('select restored_by, restore_reason from deletion_batches');
    expect(rows).toEqual([{ restored_by: 'user:8', restore_reason: 'mistake' }]);
    for (const more of [[], ['--dry-run']])
      expect(await refused(61, 'restore', batch, ...more)).toMatchObject({
        code: 'DELETION.ALREADY_RESTORED',
        batch,
      });
  });

  it('takes the row that a batch began with, and refuses the others with the batch', async () => {
    const { em, label, tracks, batch } = await deletedLabel();
    const fell = await refused(67, 'restore', '--entity', 'Track', '--key', tracks[0]!.id);
    expect(fell).toMatchObject({ code: 'DELETION.PART_OF_BATCH', batch });
    expect(await refused(65, 'restore', '--entity', 'Label', '--key', '99')).toMatchObject({
      code: 'DELETION.NEVER_DELETED',
    });
    await client.query(`insert into labels (id, name, deleted_at) values (50, 'old', '2020-01-01')`);
    expect(await refused(66, 'restore', '--entity', 'Label', '--key', '50')).toMatchObject({
      code: 'DELETION.NOT_JOURNALED',
    });
    expect((await trash(db.url, 'restore', '--entity', 'Label', '--key', label.id)).code).toBe(0);
    expect(await em.fork().count(Label)).toBe(1);
  });

  it('leaves what changed since when it is told to, and purged batches alone', async () => {
    const { em, tracks, batch } = await deletedLabel();
    await client.query('update tracks set deleted_at = null where id = $1', [tracks[0]!.id]);
    expect(await refused(63, 'restore', batch)).toMatchObject({
      code: 'DELETION.INCOMPLETE_BATCH',
      preview: { changed: [{ table: 'public.tracks', state: 'live', rows: 1, keys: [tracks[0]!.id] }] },
    });
    const { preview } = parsed(
      await trash(db.url, 'restore', batch, '--changed', 'skip', '--dry-run', '--json'),
    );
    expect(preview).toMatchObject({ rows: { 'public.tracks': 3 } });
    expect(await em.fork().count(Track)).toBe(1);
    const done = await trash(db.url, 'restore', batch, '--changed', 'skip');
    expect(done.out).toContain('3 of public.tracks');
    expect(await em.fork().count(Track)).toBe(4);
    const { batch: gone } = await deleteRows(em, Label, {});
    await client.query('truncate labels cascade');
    expect(await refused(62, 'restore', gone as BatchId)).toMatchObject({ code: 'DELETION.PURGED_BATCH' });
  });

  it('is refused by live twins, with all that the preview knows', async () => {
    const { em, batch } = await deletedLabel();
    em.create(Label, { name: 'Verve' });
    await em.flush();
    for (const more of [[], ['--dry-run']]) {
      expect(await refused(64, 'restore', batch, ...more)).toMatchObject({
        code: 'DELETION.RESTORE_CONFLICT',
        constraint: 'labels_name_live',
        preview: { restorable: false, liveTwins: [{ table: 'public.labels', keys: ['1'] }] },
      });
    }
  });

  it('lifts a row without a journal alone, and a dry run of that leaves nothing', async () => {
    const { em, contract } = await deletedLabel();
    const args = ['restore', '--entity', 'Contract', '--key', contract.id];
    expect((await trash(db.url, ...args, '--dry-run')).out).toContain('Nothing was written.');
    expect(await em.fork().count(Contract)).toBe(0);
    expect(parsed(await trash(db.url, ...args, '--json'))).toMatchObject({
      alone: { entity: 'Contract', key: contract.id, written: true },
    });
    expect(await em.fork().count(Contract)).toBe(1);
    expect(await refused(65, ...args)).toMatchObject({ code: 'DELETION.NEVER_DELETED' });
  });

  it('refuses what it cannot take, and touches nothing', async () => {
    const { em, batch } = await deletedLabel();
    const wrong = [
      [],
      [batch, '--entity', 'Label', '--key', '1'],
      ['--entity', 'Label'],
      [batch, '--key', '1'],
      ['no-batch'],
      [batch, '--changed', 'all'],
      ['--entity', 'Nobody', '--key', '1'],
      ['--entity', 'Tag', '--key', '1'],
      ['--entity', 'Label', '--key', 'x'],
      ['--entity', 'Contract', '--key', 'x'],
    ];
    for (const args of wrong) {
      const ended = await trash(db.url, 'restore', ...args);
      expect([args, ended.code]).toEqual([args, 2]);
      expectSentence(ended);
    }
    expect(await em.fork().count(Label)).toBe(0);
  }, 60_000);
});

describe('the trash', () => {
  it('ends as migrations do where there is no server, login or database, and never with a password', async () => {
    const url = new URL(db.url);
    url.username = 'nobody_of_that_name';
    url.password = 's3cret';
    const none = new URL(db.url);
    none.pathname = '/no_such_database';
    const ways: [number, string][] = [
      [40, 'postgresql://ada:s3cret@127.0.0.1:1/x'],
      [41, url.href],
      [42, none.href],
    ];
    for (const [exit, target] of ways) {
      const ended = await trash(target, 'list', '--json');
      expect([ended.code, ended.out + ended.err]).toEqual([exit, expect.not.stringContaining('s3cret')]);
      expect(JSON.parse(ended.out)).toMatchObject({ error: { code: 'DATA.UNAVAILABLE', exitCode: exit } });
    }
  });

  it('needs the journal, and a configuration of this package', async () => {
    const { tombstone, url } = await project();
    expect((await trash(url, 'list')).code).toBe(68);
    const other = await tombstone('trash', 'list', '--json');
    expect(JSON.parse(other.out)).toMatchObject({ error: { code: 'CLI.USAGE' } });
  });

  it('lists its exit codes by --help and on its page', async () => {
    const { out } = await trash(db.url, '--help');
    for (const line of deletionExitLines()) expect(out).toContain(line);
    const page = readFileSync(join(ROOT, 'docs/trash.md'), 'utf8');
    const rows = [...page.matchAll(/^\| (\d+) +\| `(\w+\.\w+)`/gm)].map(([, exit, code]) => [
      code,
      Number(exit),
    ]);
    const own = Object.entries(DELETION_EXITS)
      .filter(([, { exit }]) => exit !== 68)
      .toSorted(([, a], [, b]) => a.exit - b.exit);
    expect(rows).toEqual(own.map(([code, { exit }]) => [code, exit]));
  });
});
